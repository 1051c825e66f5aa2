import assert from "node:assert/strict";
import http from "node:http";
import { once } from "node:events";
import { after, before, test } from "node:test";
import { inspect } from "node:util";

import { Portico, PorticoError } from "portico-client";

import { Faulty } from "./support/faulty.js";
import { Demo } from "./support/stage.js";

let demo: Demo;
before(async () => void (demo = await Demo.start()));
after(() => demo.stop());

test("a refusal carries the daemon's code and status", async () => {
  const refused = demo.client.check({ access_token: "x", credential: "y" });
  await assert.rejects(refused, {
    name: "PorticoError",
    code: "invalid_token",
    status: 401,
    detail: "malformed_token",
  });
  const wrong = new Portico({ url: demo.url, token: "wrong" });
  await assert.rejects(wrong.info(), { code: "unauthorized", status: 401 });
  wrong.close();
});

test("a bound carries the seconds to wait", async () => {
  const key = (await demo.approved(demo.client, "as crowd")).user_key;
  // A bound of sessions, because no user has to approve anything to reach it.
  const { session_token } = await demo.approved(demo.client, "as crowd");
  const tries = Array.from({ length: 40 }, () =>
    demo.client.call("POST", "/auth/login", { body: { credential: session_token } }).then(
      () => undefined,
      (error: unknown) => error,
    ),
  );
  const refused = (await Promise.all(tries)).filter((error) => error instanceof PorticoError);
  assert.equal(refused.length, 10, key);
  for (const error of refused) {
    assert.equal(error.status, 429);
    assert.ok(error.isPassing && error.retryAfter! > 0 && error.retryAfter! <= 600);
  }
});

test("a daemon that is not there is unreachable, and one that says nothing gives no answer", async () => {
  const nobody = new Portico({ socket: "/nonexistent/portico.sock" });
  await assert.rejects(nobody.info(), { code: "unreachable", status: 0, message: /ENOENT/ });
  const silent = http.createServer(() => {}).listen(0, "127.0.0.1");
  await once(silent, "listening");
  const { port } = silent.address() as { port: number };
  for (const fetch of [undefined, globalThis.fetch]) {
    const url = `http://127.0.0.1:${port}`;
    const client = new Portico(fetch ? { url, token: "t", fetch } : { url, token: "t" });
    await assert.rejects(client.call("GET", "/info", { timeout: 50 }), { code: "no_answer", status: 0 });
    client.close();
  }
  silent.closeAllConnections();
  silent.close();
});

test("what is not the daemon's answer is not taken for one", async () => {
  const other = http.createServer((_request, response) => response.end("<h1>secret of another program</h1>"));
  other.listen(0, "127.0.0.1");
  await once(other, "listening");
  const { port } = other.address() as { port: number };
  const client = new Portico({ url: `http://127.0.0.1:${port}`, token: "t" });
  const error = await client.info().catch((error: unknown) => error);
  assert.ok(error instanceof PorticoError);
  assert.equal(error.code, "malformed_answer");
  assert.ok(!inspect(error).includes("secret"));
  client.close();
  other.closeAllConnections();
  other.close();
});

test("no error repeats a token", async () => {
  const { session_token, login } = await demo.approved(demo.client, "as quiet");
  const secrets = [session_token, login.access_token, demo.token];
  const nobody = new Portico({ url: "http://127.0.0.1:9", token: demo.token });
  const altered = `${session_token.slice(0, -4)}AAAA`;
  const calls = [
    nobody.check({ access_token: login.access_token, credential: session_token }),
    demo.client.check({ access_token: session_token, credential: login.access_token }),
    demo.client.verifyJwt(demo.publicKey, altered),
    demo.client.refresh({ credential: altered }),
    demo.client.readEvents(session_token),
    demo.client.jwt.revoke(`${session_token} `),
  ];
  for (const ended of await Promise.allSettled<unknown>(calls)) {
    assert.ok(ended.status === "rejected" && ended.reason instanceof PorticoError);
    const error = ended.reason;
    const shown = inspect(error, { depth: null, showHidden: true }) + JSON.stringify(error);
    for (const secret of [...secrets, altered]) assert.ok(!shown.includes(secret), shown);
  }
});

test("wrong options are named, without the token", () => {
  const wrong: [ConstructorParameters<typeof Portico>[0], RegExp][] = [
    [{ socket: "" }, /^socket:/],
    [{ url: "portico", token: "t" }, /^url:/],
    [{ url: "ftp://127.0.0.1", token: "t" }, /^url:/],
    [{ url: "http://user:hunter2@127.0.0.1", token: "t" }, /^url:/],
    [{ url: "http://127.0.0.1", token: "hunter2\n" }, /^token:/],
    [{ url: "http://127.0.0.1", token: "" }, /^token:/],
  ];
  for (const [options, message] of wrong) {
    assert.throws(
      () => new Portico(options),
      (error: Error) => message.test(error.message) && !inspect(error).includes("hunter2"),
    );
  }
});

test("a kept connection that the daemon has closed is no error for a check", async (t) => {
  const faulty = await Faulty.before(t, demo.socket);
  const client = new Portico({ socket: faulty.socket });
  await client.info();
  // The connection is kept open, and breaks at the next request.
  faulty.faults.push("broken");
  await client.info();
  assert.equal(faulty.count("/info"), 3);
  // A login must not be opened twice. So it does not use that connection, and is not repeated.
  await client.info();
  const { connections } = faulty;
  const login = await client.login();
  await login.cancel();
  await login.done;
  assert.ok(faulty.connections >= connections + 2);
  faulty.faults.push("broken");
  await assert.rejects(client.login(), { code: "unreachable" });
  assert.equal(faulty.count("/login"), 2);
  client.close();
});
