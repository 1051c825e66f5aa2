import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";

import type { components, PorticoEvent } from "portico-client";

import { CLIENT, folder } from "./support/process.js";

const run = promisify(execFile);

/** In both directions: every event of the daemon is in the union, and the union has no other event. */
type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;
const SAME: Same<PorticoEvent, components["schemas"]["Event"]> = true;

test("the union of events is that of the daemon's document", () => {
  // The compiler has checked the types.
  assert.equal(SAME, true);
});

test("the generated types are those of the daemon's document; npm run generate makes them again", async () => {
  const { scripts } = JSON.parse(await readFile(path.join(CLIENT, "package.json"), "utf8"));
  const [program = "", ...args] = (scripts.generate as string).split(" ");
  const { path: at, remove } = await folder();
  const output = path.join(at, "openapi.ts");
  args[args.indexOf("-o") + 1] = output;
  await run(path.join(CLIENT, "node_modules/.bin", program), args, { cwd: CLIENT });
  const [fresh, committed] = [output, path.join(CLIENT, "src/generated/openapi.ts")];
  const same = (await readFile(fresh, "utf8")) === (await readFile(committed, "utf8"));
  await remove();
  assert.ok(same, "src/generated/openapi.ts is stale: npm run generate");
});

test("the package holds what is built, its sources and README, and works where nothing else is installed", async () => {
  const { path: at, remove } = await folder();
  // Without scripts: the package is built already, and other tests use the build.
  const pack = ["pack", "--ignore-scripts", "--json", "--pack-destination", at];
  const [packed] = JSON.parse((await run("npm", pack, { cwd: CLIENT })).stdout);
  const files = (packed.files as { path: string }[]).map((file) => file.path);
  for (const file of [
    "LICENSE",
    "README.md",
    "package.json",
    "dist/index.js",
    "dist/index.d.ts",
    "dist/page.js",
    "src/index.ts",
  ]) {
    assert.ok(files.includes(file), file);
  }
  const foreign = files.filter((file) => !/^(LICENSE|README\.md|package\.json|dist\/.*|src\/.*)$/.test(file));
  assert.deepEqual(foreign, []);
  assert.ok(packed.size < 150_000, `${packed.size} bytes`);

  const project = path.join(at, "project");
  await mkdir(project);
  await writeFile(path.join(project, "package.json"), '{"private":true,"type":"module"}');
  await run("npm", ["install", "--offline", "--no-audit", "--no-fund", path.join(at, packed.filename)], {
    cwd: project,
  });
  const { stdout: tree } = await run("npm", ["ls", "--all", "--parseable"], { cwd: project });
  assert.equal(tree.trim().split("\n").length, 2, "the client brings no dependency");
  const names = [
    "portico-client",
    ...["express", "fastify", "hono", "next", "page"].map((name) => `portico-client/${name}`),
  ];
  const program = names
    .map((name) => `console.log(Object.keys(await import(${JSON.stringify(name)})).join());`)
    .join("\n");
  const { stdout } = await run(process.execPath, ["--input-type=module", "--eval", program], { cwd: project });
  assert.deepEqual(stdout.trim().split("\n"), [
    "Portico,PorticoError,SignIn,authenticate,safePath,verifyWebhook",
    "guard,serve",
    "guard,serve",
    "guard",
    "guard",
    "watch",
  ]);
  await remove();
});
