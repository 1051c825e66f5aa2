// A Chromium that a test drives: each line of standard input is `{"script", "args"}`. The script is the body of an async
// function of `browser`, `kept` (what scripts keep for later ones), `axe` (the source of axe-core) and `args`; the answer
// is a line `{"value"}` or `{"error"}`.
import fs from "node:fs";
import readline from "node:readline";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const require = createRequire(import.meta.url);
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const sandbox = process.getuid() === 0 ? ["--no-sandbox"] : [];
const executablePath = process.argv[2];
const browser = await chromium.launch({ executablePath, args: [...sandbox, "--disable-gpu"] });
const kept = {};
const Script = (async () => {}).constructor;
console.log(JSON.stringify({ value: browser.version() }));
for await (const line of readline.createInterface({ input: process.stdin })) {
  const { script, args } = JSON.parse(line);
  try {
    const value = await new Script("browser", "kept", "axe", "args", script)(browser, kept, axe, args);
    console.log(JSON.stringify({ value: value ?? null }));
  } catch (error) {
    console.log(JSON.stringify({ error: String(error) }));
  }
}
await browser.close();
