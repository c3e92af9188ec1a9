// The bucket's own documentation. It is the bucket's text: no HTML of it is let through, no image from elsewhere.

import MarkdownIt from "markdown-it";
import { element } from "./page.js";

export function renderDocumentation({ path, text }) {
  element("documentation-path").textContent = path === "" ? "" : path;
  const article = element("documentation");
  article.innerHTML = new MarkdownIt({ html: false, linkify: false }).render(text);
  for (const link of article.querySelectorAll("a[href]")) {
    link.target = "_blank";
    link.rel = "noopener noreferrer";
  }
  // A table may be wider than its place.
  for (const table of article.querySelectorAll("table")) {
    const box = document.createElement("div");
    box.className = "wide";
    table.replaceWith(box);
    box.append(table);
  }
}
