// The page of an open bucket, as a developer uses it in Chromium: edits, findings, a file that changed underneath, a run.
//
// node editor.mjs BUCKETS IMAGE STUDY SHOTS: the program, an image of a bucket that may be opened under that name (it is
// left as it is), a directory of DICOM files it makes measures of, and where screenshots go.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { chromium } from "playwright-core";

const [program, image, study, shots] = process.argv.slice(2);
const PATIENCE = 60_000;
const opened = await openBucket();
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
context.setDefaultTimeout(PATIENCE);
const page = await context.newPage();
const broken = [];
page.on("pageerror", (error) => broken.push(error.message));
page.on("console", (message) => {
  // A refused save is an answer, not a defect.
  if (message.type() === "error" && !message.text().includes("412")) broken.push(message.text());
});
page.on("dialog", (dialog) => dialog.accept());

try {
  await story("the page shows the bucket's files, and its address loses the key", async () => {
    await page.goto(opened.url);
    await page.locator("#name", { hasText: basename(image).split(":")[0] }).waitFor();
    assert.ok(!page.url().includes("key="), page.url());
    await editor().getByText("main.py").first().waitFor();
    await shot("open");
  });

  await story("a browser that was not given the key sees nothing", async () => {
    const other = await browser.newContext();
    const answer = await (await other.newPage()).goto(new URL("/api/bucket", opened.url).href);
    assert.equal(answer.status(), 403);
    await other.close();
  });

  await story("info.json is checked as it is typed", async () => {
    await tab("info.json").click();
    const text = await lines();
    await retype(
      text.replace(/"AETitle": *"[^"]*"/, '"AETitle": "a title that is too long"').replace(/"timeout": *"[^"]*"/, '"timeout": "soon"'),
    );
    const findings = page.locator("#findings li");
    await findings.filter({ hasText: "AETitle" }).waitFor();
    await findings.filter({ hasText: "timeout" }).waitFor();
    await page.locator(".cm-lint-marker-error").first().waitFor();
    await shot("finding");
    await retype("{ \"AETitle\" ");
    await findings.filter({ hasText: "not JSON" }).waitFor();
    await retype(text);
    await page.locator("#findings li.error").first().waitFor({ state: "detached" });
    assert.equal(await page.locator("#save").isDisabled(), true, "what was typed back is no edit");
  });

  await story("what is saved is in the shell, with its mode", async () => {
    const before = await shell("stat -c %a:%u:%g /root/work.sh");
    await tab("work.sh").click();
    await page.locator(".cm-content").click();
    // Behind the first line.
    await page.keyboard.press("Control+Home");
    await page.keyboard.press("End");
    await page.keyboard.press("Enter");
    await page.keyboard.type("echo said by the edited script");
    await tab("work.sh").filter({ hasText: "●" }).waitFor();
    await page.keyboard.press("Control+s");
    await page.locator("#saved", { hasText: "work.sh" }).waitFor();
    assert.match(await shell("sed -n 2p /root/work.sh"), /said by the edited script/);
    assert.equal(await shell("stat -c %a:%u:%g /root/work.sh"), before);
  });

  await story("a file that changes in the shell is shown anew", async () => {
    await shell("echo '# from the shell' >>/root/work.sh");
    await editor().getByText("# from the shell").waitFor();
  });

  await story("an edit never overwrites what the shell wrote without a question", async () => {
    await page.locator(".cm-content").click();
    await page.keyboard.press("Control+End");
    await page.keyboard.type("# from the page");
    await shell("echo '# from the shell again' >>/root/work.sh");
    await page.keyboard.press("Control+s");
    const conflict = page.locator("#conflict");
    await conflict.getByText("changed in the shell").waitFor();
    assert.doesNotMatch(await shell("cat /root/work.sh"), /from the page/);
    await shot("conflict");
    await conflict.getByRole("button", { name: "Take that of the shell" }).click();
    await editor().getByText("# from the shell again").waitFor();
    await conflict.waitFor({ state: "hidden" });
    assert.doesNotMatch(await lines(), /from the page/);
  });

  await story("a run shows its log as it comes, its outcome, measures and files", async () => {
    await page.locator("#directory").fill(basename(study));
    await page.locator("#start").click();
    await page.locator("#log", { hasText: "said by the edited script" }).waitFor({ timeout: 180_000 });
    await page.locator("#outcome.success").waitFor({ timeout: 180_000 });
    await page.locator("#results").getByText("Measures").waitFor();
    assert.ok((await page.locator("#results table").last().locator("tr").count()) > 0);
    await shot("run");
    await page.emulateMedia({ colorScheme: "dark" });
    await shot("run-dark");
    await page.emulateMedia({ colorScheme: "light" });
  });

  await story("a run of a directory elsewhere is refused, with the way out", async () => {
    await page.locator("#directory").fill("/etc");
    await page.locator("#start").click();
    await page.locator("#outcome.refused", { hasText: "--data" }).waitFor();
  });

  await story("a run can be stopped, and nothing of it is left", async () => {
    await tab("work.sh").click();
    await retype("#!/bin/sh\necho begun\nsleep 600\n");
    await page.locator("#directory").fill(basename(study));
    await page.locator("#start").click();
    await page.locator("#log", { hasText: "begun" }).waitFor();
    await page.locator("#stop").click();
    await page.locator("#outcome.stopped").waitFor();
  });

  await story("the documentation is beside the editor", async () => {
    await page.locator("#tab-documentation").click();
    await page.locator("#documentation h1, #documentation h2").first().waitFor();
    await shot("documentation");
    await page.setViewportSize({ width: 700, height: 900 });
    await shot("narrow");
  });

  await story("a page whose shell was left says so", async () => {
    assert.equal(await opened.leave(), 0);
    await page.locator("#notice", { hasText: "shell was left" }).waitFor();
  });

  assert.deepEqual(broken.filter((text) => !text.includes("ERR_CONNECTION_REFUSED") && !text.includes("403")), []);
} catch (error) {
  await page.screenshot({ path: `${shots}/failed.png` }).catch(() => {});
  throw error;
} finally {
  await browser.close();
  opened.kill();
}

async function story(sentence, act) {
  const began = Date.now();
  await act();
  console.log(`ok ${sentence} (${((Date.now() - began) / 1000).toFixed(1)} s)`);
}

function tab(name) {
  return page.locator("#files").getByRole("tab", { name });
}

function editor() {
  return page.locator("#editor .cm-content");
}

async function lines() {
  return (await page.locator("#editor .cm-line").allTextContents()).join("\n");
}

// Everything that is in the editor, replaced as one would paste it.
async function retype(text) {
  await page.locator("#editor .cm-content").click();
  await page.keyboard.press("Control+a");
  await page.keyboard.insertText(text);
}

async function shot(name) {
  mkdirSync(shots, { recursive: true });
  await page.screenshot({ path: `${shots}/${name}.png` });
}

// The program with a shell that reads what is written to it; the study is below its current directory.
async function openBucket() {
  const child = spawn(resolve(program), ["open", image, "--discard"], { cwd: dirname(resolve(study)) });
  let out = "";
  let err = "";
  child.stdout.on("data", (piece) => (out += piece));
  child.stderr.on("data", (piece) => (err += piece));
  const ended = once(child, "exit");
  const url = await until(() => err.match(/http:\/\/127\.0\.0\.1:\d+\/\?key=\S+/)?.[0], () => `an address in ${err}`);
  return {
    url,
    write: (text) => child.stdin.write(text),
    out: () => out,
    leave: async () => {
      child.stdin.end();
      return (await ended)[0];
    },
    kill: () => child.kill("SIGTERM"),
  };
}

// What a command prints in the bucket's shell.
async function shell(command) {
  const before = opened.out().length;
  const end = `end of ${Math.random()}`;
  opened.write(`${command}; echo '${end}'\n`);
  const said = await until(
    () => (opened.out().slice(before).includes(end) ? opened.out().slice(before) : undefined),
    () => `the end of ${command}`,
  );
  return said.slice(0, said.indexOf(end)).trim();
}

async function until(look, what) {
  const deadline = Date.now() + PATIENCE;
  for (;;) {
    const seen = look();
    if (seen !== undefined) return seen;
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what()}`);
    await new Promise((done) => setTimeout(done, 25));
  }
}
