// Runs: which directory, the log as it comes, what came out.

import { api } from "./api.js";
import { bytes, element, make, seconds } from "./page.js";

// Characters of log that are shown; the rest is in processing.log.
const LONGEST = 300_000;

export class Runs {
  constructor(roots, saveAll) {
    this.saveAll = saveAll;
    element("roots").textContent = roots.length > 1 ? `below ${roots.join(" or ")}` : `below ${roots[0] ?? "nothing"}`;
    element("run").addEventListener("submit", (event) => {
      event.preventDefault();
      this.start();
    });
    element("stop").addEventListener("click", () => api("DELETE", "/api/run").catch((error) => this.refuse(error)));
    element("directory").addEventListener("input", () => this.suggest());
    this.suggest();
  }

  // The directories in the one that is being typed.
  async suggest() {
    const typed = element("directory").value;
    const above = typed.includes("/") ? typed.slice(0, typed.lastIndexOf("/") + 1) : "";
    if (above === this.suggested) return;
    this.suggested = above;
    const names = await api("GET", `/api/directories?path=${encodeURIComponent(above)}`).catch(() => []);
    element("directories").replaceChildren(
      ...names.map((name) => {
        const option = make("option");
        option.value = above + name;
        return option;
      }),
    );
  }

  async start() {
    this.running(true);
    try {
      if (!(await this.saveAll())) {
        this.running(false);
        return;
      }
      await api("POST", "/api/run", {
        directory: element("directory").value,
        arguments: element("arguments").value,
      });
      this.follow();
    } catch (error) {
      this.refuse(error);
    }
  }

  refuse(error) {
    this.running(false);
    this.outcome("refused", error.message);
  }

  running(is) {
    element("start").hidden = is;
    element("stop").hidden = !is;
    element("directory").disabled = is;
    element("nothing").hidden = true;
    if (is) {
      element("results").hidden = true;
      element("outcome").hidden = true;
      element("progress").textContent = "";
    }
  }

  // Listens to the run; when the connection breaks, it is told everything again.
  follow() {
    this.running(true);
    const log = element("log");
    element("log-head").hidden = false;
    log.hidden = false;
    this.source?.close();
    this.source = new EventSource("/api/run/events");
    this.source.addEventListener("open", () => log.replaceChildren());
    this.source.addEventListener("message", (event) => {
      const { text, skipped, progress, result, directory } = JSON.parse(event.data);
      if (element("directory").value === "") element("directory").value = directory;
      if (skipped) this.print("\n[a part of the log is left out here]\n");
      this.print(text);
      if (progress) this.progress(progress);
      if (result) {
        this.source.close();
        this.over(result);
      }
    });
  }

  print(text) {
    if (text === "") return;
    const log = element("log");
    const atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 30;
    log.append(text);
    while (log.childNodes.length > 1 && log.textContent.length > LONGEST) log.firstChild.remove();
    if (atEnd) log.scrollTop = log.scrollHeight;
  }

  progress({ seconds: elapsed, memory, memory_limit }) {
    const used = memory > 0 ? `, ${bytes(memory)} of ${bytes(memory_limit)} memory` : "";
    element("progress").textContent = `${seconds(elapsed)}${used}`;
  }

  outcome(kind, text) {
    const box = element("outcome");
    box.className = kind;
    box.replaceChildren(make("strong", kind), make("span", text));
    box.hidden = false;
  }

  over(result) {
    this.running(false);
    if (result.stopped) return this.outcome("stopped", "Nothing of the run is left.");
    if (result.error) return this.outcome("refused", result.error);
    const facts = [
      result.reason,
      `exit status ${result.exit_status}`,
      `${result.objects} ${result.objects === 1 ? "object" : "objects"}`,
      seconds(result.seconds),
      result.peak_memory ? `${bytes(result.peak_memory)} of memory at most` : null,
    ];
    this.outcome(result.failed ? "failed" : result.outcome, facts.filter(Boolean).join(" · "));
    element("progress").textContent = "";
    const parts = [];
    if (result.problems.length > 0) {
      const list = make("ul", undefined, "problems");
      list.append(...result.problems.map((problem) => make("li", problem)));
      parts.push(list);
    }
    if (result.measures.length > 0) {
      parts.push(
        make("h2", "Measures"),
        table(result.measures.map((m) => [m.name, m.unit ? `${m.value} ${m.unit}` : m.value])),
      );
    }
    parts.push(make("h2", result.files.length > 0 ? "Results" : "No results"));
    if (result.files.length > 0) {
      parts.push(table(result.files.map((file) => [file.path, bytes(file.bytes)])));
      if (result.more_files) parts.push(make("p", "and more", "small"));
      const place = make("p", "until the next run in ", "small");
      place.append(make("code", result.directory));
      parts.push(place);
    }
    element("results").replaceChildren(...parts);
    element("results").hidden = false;
    element("log").scrollTop = element("log").scrollHeight;
  }
}

function table(rows) {
  const made = make("table");
  for (const [name, value] of rows) {
    const row = make("tr");
    const head = make("th", name);
    head.scope = "row";
    row.append(head, make("td", String(value)));
    made.append(row);
  }
  return made;
}
