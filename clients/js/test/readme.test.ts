import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { after, before, test } from "node:test";

import express from "express";

import { block, script } from "./support/readme.js";
import { Program } from "./support/process.js";
import { Demo } from "./support/stage.js";

let demo: Demo;
before(async () => void (demo = await Demo.start()));
after(() => demo.stop());

test("the example without a framework runs as it is written", async () => {
  const program = new Program(process.execPath, [await script("portico.login(")], { PORTICO_SOCKET: demo.socket });
  await demo.scan(await program.lineOf((line) => (line.startsWith("portal://") ? line : undefined)));
  for (const line of ["scanned", "approved", "[]", "[ 'admin' ]"]) {
    assert.equal(await program.lineOf((printed) => printed), line);
  }
  const [code] = await once(program.child, "exit");
  assert.equal(code, 0);
});

test("the example of a login has at most 30 lines", async () => {
  const lines = (await block("signIn.begin")).split("\n").filter((line) => line !== "");
  assert.ok(lines.length <= 30, `${lines.length} lines`);
  assert.ok(Math.max(...lines.map((line) => line.length)) <= 120);
});

test("the example of a webhook takes what is signed and nothing else", async () => {
  const app = express();
  const run = new Function(
    "app",
    "express",
    "verifyWebhook",
    (await block("verifyWebhook(")).replace(/^import.*$/m, ""),
  );
  run(app, express, (await import("portico-client")).verifyWebhook);
  const secret = (process.env["WEBHOOK_SECRET"] = "a secret of the webhook");
  const server = app.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const body = JSON.stringify({ stream_id: "s", index: 1, type: "session_created", user_id: "u" });
  const at = String(Math.floor(Date.now() / 1_000));
  const post = (mac: string) => {
    const signed = { "webhook-id": "s/1", "webhook-timestamp": at, "webhook-signature": `v1,${mac}` };
    const headers = { "content-type": "application/json", ...signed };
    return fetch(`http://127.0.0.1:${port}/hook`, { method: "POST", body, headers });
  };
  const mac = createHmac("sha256", secret).update(`s/1.${at}.${body}`).digest("base64");
  assert.equal((await post(mac)).status, 204);
  app.set("env", "test"); // Express does not print the error then
  assert.equal((await post(mac.toLowerCase())).status, 401);
  server.closeAllConnections();
  server.close();
});
