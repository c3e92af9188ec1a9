// The editor component: languages by what a file is, colours from the page's style sheet.

import { basicSetup } from "codemirror";
import { EditorState } from "@codemirror/state";
import { EditorView, keymap } from "@codemirror/view";
import { HighlightStyle, StreamLanguage, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { json } from "@codemirror/lang-json";
import { python } from "@codemirror/lang-python";
import { shell } from "@codemirror/legacy-modes/mode/shell";
import { perl } from "@codemirror/legacy-modes/mode/perl";
import { r } from "@codemirror/legacy-modes/mode/r";
import { linter, lintGutter } from "@codemirror/lint";
import { tags } from "@lezer/highlight";

const colours = HighlightStyle.define([
  { tag: [tags.keyword, tags.controlKeyword, tags.operatorKeyword], color: "var(--keyword)" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--string)" },
  { tag: [tags.comment, tags.meta], color: "var(--comment)", fontStyle: "italic" },
  { tag: [tags.number, tags.bool, tags.null], color: "var(--number)" },
  { tag: [tags.propertyName, tags.attributeName, tags.definition(tags.variableName)], color: "var(--name)" },
  { tag: [tags.variableName, tags.special(tags.variableName)], color: "var(--variable)" },
  { tag: [tags.function(tags.variableName), tags.standard(tags.variableName), tags.className], color: "var(--function)" },
  { tag: tags.invalid, color: "var(--bad)" },
]);

const look = EditorView.theme({
  "&": { height: "100%", backgroundColor: "var(--panel)", color: "var(--text)" },
  ".cm-scroller": { fontFamily: "var(--mono)", fontSize: "13px", lineHeight: "1.55" },
  ".cm-content": { caretColor: "var(--text)", padding: "8px 0" },
  ".cm-gutters": { backgroundColor: "var(--panel)", color: "var(--faint)", border: "none" },
  ".cm-activeLine": { backgroundColor: "var(--line)" },
  ".cm-activeLineGutter": { backgroundColor: "var(--line)", color: "var(--text)" },
  ".cm-cursor": { borderLeftColor: "var(--text)" },
  "&.cm-focused": { outline: "none" },
  "&.cm-focused .cm-selectionBackground, .cm-selectionBackground, ::selection": {
    backgroundColor: "var(--selection) !important",
  },
  ".cm-panels, .cm-tooltip": {
    backgroundColor: "var(--raised)",
    color: "var(--text)",
    border: "1px solid var(--rule)",
  },
  ".cm-diagnostic": { fontFamily: "var(--sans)", padding: "6px 10px" },
  ".cm-diagnostic-error": { borderLeft: "3px solid var(--bad)" },
  ".cm-diagnostic-warning": { borderLeft: "3px solid var(--wait)" },
  ".cm-matchingBracket": { backgroundColor: "var(--selection) !important", outline: "none" },
});

// What a script is written in says its first line.
function language(name, text) {
  if (name.endsWith(".json")) return [json(), indentUnit.of("  ")];
  const first = text.slice(0, 200).split("\n", 1)[0];
  if (/^#!.*python/.test(first)) return [python(), indentUnit.of("    ")];
  if (/^#!.*perl/.test(first)) return [StreamLanguage.define(perl)];
  if (/^#!.*Rscript/.test(first)) return [StreamLanguage.define(r)];
  return [StreamLanguage.define(shell), indentUnit.of("  ")];
}

// A state of the editor for one file. `check` finds what is wrong with a text, each finding with line and column.
export function stateOf({ name, text, check, changed, save }) {
  const extensions = [
    basicSetup,
    EditorView.lineWrapping,
    look,
    syntaxHighlighting(colours),
    language(name, text),
    keymap.of([{ key: "Mod-s", run: () => (save(), true), preventDefault: true }]),
    EditorView.updateListener.of((update) => {
      if (update.docChanged) changed(update.state.doc.toString());
    }),
    EditorView.contentAttributes.of({ "aria-label": name }),
  ];
  if (check) {
    extensions.push(
      lintGutter(),
      linter(
        async (view) => {
          const document = view.state.doc;
          const found = await check(document.toString());
          return found.map((finding) => mark(document, finding));
        },
        { delay: 300 },
      ),
    );
  }
  return EditorState.create({ doc: text, extensions });
}

// A finding at its place in the document.
function mark(document, finding) {
  const from = placeOf(document, finding);
  const to = Math.min(from + finding.length, document.lineAt(from).to);
  return { from, to, severity: finding.severity, message: [finding.message, finding.help].filter(Boolean).join("\n") };
}

// Where a finding begins; one of a text that was longer is at the end of this one.
export function placeOf(document, { line, column }) {
  const at = document.line(Math.min(Math.max(line, 1), document.lines));
  return Math.min(at.from + Math.max(column - 1, 0), at.to);
}

export { EditorView };
