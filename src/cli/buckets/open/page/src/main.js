// The page of an open bucket: the files, the documentation beside them, a run.

import "./page.css";
import { api, Unreachable } from "./api.js";
import { Files } from "./files.js";
import { Runs } from "./runs.js";
import { renderDocumentation } from "./documentation.js";
import { element, say } from "./page.js";

// How often is looked whether the shell changed a file, in milliseconds.
const LOOK = 2500;

async function begin() {
  const bucket = await api("GET", "/api/bucket");
  document.title = `${bucket.name} – bucket`;
  element("name").textContent = bucket.name;
  renderDocumentation(bucket.documentation);

  const files = new Files(bucket.files);
  const runs = new Runs(bucket.roots, () => files.saveAll());
  if (bucket.has_run) runs.follow();

  tabs();
  window.addEventListener("beforeunload", (event) => {
    if (files.drafts().length > 0) event.preventDefault();
  });
  look(files);
}

// Looks again and again; the page goes on where it was when the shell comes back.
async function look(files) {
  for (;;) {
    await new Promise((done) => setTimeout(done, LOOK));
    if (document.hidden) continue;
    try {
      files.seen(await api("GET", "/api/files"));
      say("");
    } catch (error) {
      if (error instanceof Unreachable) {
        say(
          files.drafts().length > 0
            ? "The shell was left, or its program ended: what is not saved here is on this page only. Copy it before you close it."
            : "The shell was left: this page is not connected any more.",
        );
      } else {
        say(error.message);
      }
    }
  }
}

function tabs() {
  const names = ["run", "documentation"];
  for (const name of names) {
    element(`tab-${name}`).addEventListener("click", () => {
      for (const other of names) {
        element(`tab-${other}`).setAttribute("aria-selected", String(other === name));
        element(`panel-${other}`).hidden = other !== name;
      }
    });
  }
}

begin().catch((error) => say(error.message));
