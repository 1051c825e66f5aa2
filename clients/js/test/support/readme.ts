/** The code of the README, as readers would run it. */
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";

import { CLIENT } from "./process.js";

/** The one block of JavaScript that contains this. */
export async function block(contains: string): Promise<string> {
  const blocks = (await readFile(path.join(CLIENT, "README.md"), "utf8")).split("\n```");
  const found = blocks.filter((block) => block.startsWith("js\n") && block.includes(contains));
  if (found.length !== 1) throw new Error(`README.md: ${found.length} blocks with ${contains}`);
  return found[0]!.slice("js\n".length) + "\n";
}

/** The path of a module with that block. It is inside the package, so that it finds the client by its name. */
export async function script(contains: string): Promise<string> {
  const file = path.join(CLIENT, "build", `readme-${contains.replace(/\W/g, "-")}.mjs`);
  await writeFile(file, await block(contains));
  return file;
}
