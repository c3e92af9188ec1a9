// The files of the bucket: which is shown, which has edits, which changed underneath.

import { api, Refused } from "./api.js";
import { EditorView, placeOf, stateOf } from "./editor.js";
import { button, element, make, say } from "./page.js";

export class Files {
  constructor(files) {
    this.view = new EditorView({ parent: element("editor") });
    this.files = new Map();
    for (const file of files) this.files.set(file.name, this.fresh(file));
    this.files.forEach((file) => this.addTab(file));
    element("save").addEventListener("click", () => this.save(this.shown));
    this.show(this.files.get("work.sh"));
    this.checkInfo(this.files.get("info.json").text);
  }

  // A file as it is in the bucket, without edits.
  fresh(given) {
    const file = { ...given, text: given.text ?? "", conflict: null };
    file.editable = given.problem === undefined && given.text !== null;
    file.base = file.text;
    file.state = stateOf({
      name: file.name,
      text: file.text,
      check: file.name === "info.json" ? (text) => this.checkInfo(text) : null,
      changed: (text) => this.changed(this.files.get(file.name), text),
      save: () => this.save(this.files.get(file.name)),
    });
    return file;
  }

  addTab(file) {
    const tab = button("", () => this.show(this.files.get(file.name)));
    tab.id = `file-${file.name}`;
    tab.setAttribute("role", "tab");
    tab.append(make("span", file.name), make("span", "", "mark"));
    element("files").append(tab);
  }

  show(file) {
    if (this.shown) this.shown.state = this.view.state;
    this.shown = file;
    this.view.setState(file.state);
    element("findings").classList.toggle("elsewhere", file.name !== "info.json");
    this.draw();
    this.view.focus();
  }

  isDirty(file) {
    return file.editable && file.text !== file.base;
  }

  drafts() {
    return [...this.files.values()].filter((file) => this.isDirty(file)).map((file) => file.name);
  }

  changed(file, text) {
    file.text = text;
    this.draw();
    this.tellDrafts();
  }

  // The shell asks before it ends while there are edits here.
  tellDrafts() {
    const drafts = this.drafts();
    const told = drafts.join();
    if (told === this.told) return;
    this.told = told;
    api("POST", "/api/drafts", drafts).catch(() => {
      this.told = undefined;
    });
  }

  async save(file) {
    if (!this.isDirty(file)) return true;
    try {
      const text = file.text;
      const now = await api("PUT", `/api/files/${file.name}`, text, { "If-Match": `"${file.version}"` });
      file.version = now.version;
      file.exists = true;
      file.base = text;
      file.conflict = null;
      this.note(`${file.name} is saved`);
      this.draw();
      this.tellDrafts();
      return true;
    } catch (error) {
      if (error instanceof Refused && error.status === 412) {
        this.found(file, error.answer);
      } else {
        say(`${file.name} is not saved: ${error.message}`);
      }
      this.draw();
      return false;
    }
  }

  async saveAll() {
    for (const file of this.files.values()) {
      if (!(await this.save(file))) {
        this.show(file);
        return false;
      }
    }
    return true;
  }

  // What is in the bucket now.
  seen(files) {
    this.tellDrafts();
    for (const now of files) {
      const file = this.files.get(now.name);
      if (now.version !== file.version && now.version !== file.conflict?.version) this.found(file, now);
    }
    this.draw();
  }

  // The bucket has another version than was edited: taken if there are no edits, else the person decides.
  found(file, now) {
    if (now.text === file.text || now.text === file.base) {
      file.base = now.text;
      file.version = now.version;
      file.exists = now.exists;
      file.conflict = null;
    } else if (this.isDirty(file)) {
      file.conflict = now;
    } else {
      this.replace(file, now);
      this.note(`${file.name} was changed in the shell`);
    }
  }

  replace(file, now) {
    const fresh = this.fresh(now);
    this.files.set(file.name, fresh);
    if (this.shown === file) {
      this.shown = null;
      this.show(fresh);
    }
    if (file.name === "info.json") this.checkInfo(fresh.text);
    this.tellDrafts();
  }

  note(text) {
    const note = element("saved");
    note.textContent = text;
    clearTimeout(this.noted);
    this.noted = setTimeout(() => (note.textContent = ""), 4000);
  }

  async checkInfo(text) {
    const found = await api("POST", "/api/check", text).catch(() => []);
    this.findings = found;
    const list = element("findings");
    list.classList.toggle("mild", found.every((finding) => finding.severity !== "error"));
    list.hidden = found.length === 0;
    list.replaceChildren(
      ...found.map((finding) => {
        const item = make("li", undefined, finding.severity);
        const go = button(`line ${finding.line}`, () => this.goTo(finding));
        const text = make("span", finding.message);
        if (finding.help) text.append(" ", make("small", finding.help));
        item.append(go, text);
        return item;
      }),
    );
    this.draw();
    return found;
  }

  goTo(finding) {
    this.show(this.files.get("info.json"));
    const anchor = placeOf(this.view.state.doc, finding);
    this.view.dispatch({ selection: { anchor }, scrollIntoView: true });
  }

  draw() {
    for (const file of this.files.values()) {
      const tab = element(`file-${file.name}`);
      const findings = file.name === "info.json" ? (this.findings?.length ?? 0) : 0;
      tab.setAttribute("aria-selected", String(file === this.shown));
      tab.classList.toggle("dirty", this.isDirty(file));
      tab.classList.toggle("wrong", findings > 0 && this.findings.some((finding) => finding.severity === "error"));
      const mark = tab.querySelector(".mark");
      mark.textContent = `${findings > 0 ? findings : ""}${this.isDirty(file) ? " ●" : ""}`;
      mark.title = [findings > 0 ? `${findings} findings` : "", this.isDirty(file) ? "edits that are not saved" : ""]
        .filter(Boolean)
        .join(", ");
    }
    element("save").disabled = !this.isDirty(this.shown);
    this.drawConflict();
  }

  drawConflict() {
    const file = this.shown;
    const box = element("conflict");
    const { conflict } = file;
    if (conflict) {
      const mine = button("Keep mine", () => {
        file.version = conflict.version;
        file.conflict = null;
        this.save(file);
      });
      const theirs = button("Take that of the shell", () => this.replace(file, conflict));
      box.replaceChildren(make("span", `${file.name} was changed in the shell since it was shown here.`), theirs, mine);
    } else if (!file.editable) {
      box.replaceChildren(make("span", file.problem ?? `${file.path} is no text: it is not edited here.`));
    } else if (!file.exists) {
      box.replaceChildren(make("span", `${file.path} is not there yet; saving makes it.`));
    } else if (file.name !== "info.json" && !file.executable) {
      box.replaceChildren(make("span", `${file.path} is not executable: in the shell, chmod +x ${file.path}`));
    }
    box.hidden = !conflict && file.editable && file.exists && (file.name === "info.json" || file.executable);
  }
}
