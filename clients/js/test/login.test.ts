import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { inspect } from "node:util";

import { Portico } from "portico-client";

import { Demo } from "./support/stage.js";

let demo: Demo;
before(async () => void (demo = await Demo.start()));
after(() => demo.stop());

async function stepsOf(login: { steps(): AsyncGenerator<{ step: string }> }): Promise<string[]> {
  const names = [];
  for await (const { step } of login.steps()) names.push(step);
  return names;
}

test("a user who approves is logged in, with a session", async () => {
  const login = await demo.client.login();
  assert.match(login.url, /^portal:\/\/npub1/);
  assert.equal(login.relaysReady, 1);
  const steps = stepsOf(login);
  await demo.scan(login.url);
  const result = await login.done;
  assert.equal(result.outcome, "approved");
  assert.ok(result.outcome === "approved" && result.login);
  assert.equal(result.claims.issuer, result.user_key);
  assert.equal(result.claims.audience, demo.publicKey);
  assert.equal(result.login.user.wallet_id, result.user_key);
  assert.deepEqual(await steps, ["scanned", "approved"]);
});

test("every caller gets all steps, also a late one", async () => {
  const login = await demo.client.login();
  await demo.scan(login.url, "as late");
  await login.done;
  assert.deepEqual(await Promise.all([stepsOf(login), stepsOf(login)]), [
    ["scanned", "approved"],
    ["scanned", "approved"],
  ]);
});

test("a user who declines is a result and not an error", async () => {
  const login = await demo.client.login();
  await demo.scan(login.url, "as no-sayer no");
  const result = await login.done;
  assert.ok(result.outcome === "declined");
  assert.deepEqual(await stepsOf(login), ["scanned", "declined"]);
});

test("a login that is taken back ends as cancelled, and its URL is open no more", async () => {
  const login = await demo.client.login();
  await login.cancel();
  const result = await login.done;
  assert.ok(result.outcome === "failed");
  assert.equal(result.code, "cancelled");
  assert.deepEqual(await stepsOf(login), ["failed"]);
});

test("an abort ends waiting at once and leaves the login open", async () => {
  const page = new AbortController();
  const login = await demo.client.login({ signal: page.signal });
  const steps = stepsOf(login);
  const reason = new Error("the page was closed");
  page.abort(reason);
  await assert.rejects(login.done, reason);
  await assert.rejects(steps, reason);
  const events = demo.client.events(login.streamId);
  await demo.scan(login.url, "as patient");
  const types = [];
  for await (const { type } of events) types.push(type);
  assert.deepEqual(types, ["key_handshake", "authenticate_key"]);
});

test("a signal that is aborted already opens nothing", async () => {
  const reason = new Error("gone");
  await assert.rejects(demo.client.login({ signal: AbortSignal.abort(reason) }), reason);
});

test("the same holds over TCP, with the API token, and by way of fetch", async () => {
  for (const fetch of [undefined, globalThis.fetch]) {
    const { url, token } = demo;
    const client = new Portico(fetch ? { url, token, fetch } : { url, token });
    const { claims } = await demo.approved(client, "as tcp");
    assert.equal(claims.audience, demo.publicKey);
    client.close();
  }
});

test("nothing that is printed holds a secret", async () => {
  const login = await demo.client.login();
  await demo.scan(login.url, "as printed");
  const result = await login.done;
  assert.ok(result.outcome === "approved" && result.login);
  const page = await demo.client.readEvents(login.streamId);
  const token = new URL(login.url.replace("portal:", "http:")).searchParams.get("token")!;
  const secrets = [result.session_token, result.login.access_token, login.streamId, token];
  const options = { depth: null, showHidden: false, maxStringLength: null };
  for (const value of [login, result, result.login, page, demo.client, [{ page }]]) {
    const shown = inspect(value, options);
    for (const secret of secrets) assert.ok(!shown.includes(secret), shown);
  }
  assert.match(inspect(result), /access_token: '\[redacted\]'/);
  assert.match(inspect(page, options), /key_handshake/);
  // Programs can still read the values.
  assert.equal((JSON.parse(JSON.stringify(result)) as typeof result).session_token, result.session_token);
});
