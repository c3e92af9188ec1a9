// Makes built/ of src/: one script, one style sheet, and the licences of what is in them.
// With --check it makes nothing, and fails if built/ is not what it would make.

import { build } from "esbuild";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";

const result = await build({
  entryPoints: { editor: "src/main.js" },
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  charset: "utf8",
  legalComments: "none",
  metafile: true,
  outdir: "built",
  write: false,
  logLevel: "warning",
});

const made = new Map();
for (const file of result.outputFiles) {
  made.set(file.path.split("/").pop(), file.text);
}
made.set("licences.txt", licences(Object.keys(result.metafile.inputs)));

if (process.argv.includes("--check")) {
  const stale = [...made].filter(([name, text]) => {
    const path = `built/${name}`;
    return !existsSync(path) || readFileSync(path, "utf8") !== text;
  });
  if (stale.length > 0) {
    console.error(`built/ is not made of these sources: ${stale.map(([name]) => name).join(", ")}; run: make editor`);
    process.exit(1);
  }
} else {
  mkdirSync("built", { recursive: true });
  for (const [name, text] of made) {
    writeFileSync(`built/${name}`, text);
    console.log(`built/${name} ${Math.ceil(text.length / 1024)} kB`);
  }
}

// Name, version and licence text of every package that is part of the script.
function licences(inputs) {
  const packages = new Set();
  for (const input of inputs) {
    const found = input.match(/^node_modules\/((?:@[^/]+\/)?[^/]+)\//);
    if (found) packages.add(found[1]);
  }
  const texts = [...packages].sort().map((name) => {
    const directory = `node_modules/${name}`;
    const { version, license } = JSON.parse(readFileSync(`${directory}/package.json`, "utf8"));
    const file = readdirSync(directory).find((entry) => /^licen[cs]e/i.test(entry));
    if (!file) throw new Error(`${name} brings no licence text`);
    const text = readFileSync(`${directory}/${file}`, "utf8").trim();
    return `${name} ${version} (${license})\n\n${text}\n`;
  });
  return `The editor of this page is made with these packages.\n\n${texts.join(`\n${"-".repeat(72)}\n\n`)}`;
}
