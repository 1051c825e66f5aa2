import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Portico, type PorticoEvent } from "portico-client";

import { Faulty } from "./support/faulty.js";
import { Daemon, Demo } from "./support/stage.js";

let demo: Demo;
before(async () => void (demo = await Demo.start()));
after(() => demo.stop());

async function all(events: AsyncIterable<PorticoEvent>): Promise<string[]> {
  const told = [];
  for await (const { index, type } of events) told.push(`${index} ${type}`);
  return told;
}

const WHOLE = ["1 key_handshake", "2 authenticate_key"];

test("no event is lost and none comes twice, even over a faulty connection", async (t) => {
  const faulty = await Faulty.before(t, demo.socket);
  const client = new Portico({ socket: faulty.socket });
  const login = await client.login();
  faulty.faults.push(503, "broken", 502, "cut", 504);
  const followed = all(client.events(login.streamId));
  // The two events arrive at different times.
  await demo.scan(login.url, "as unlucky slow 1s");
  assert.deepEqual(await followed, WHOLE);
  assert.equal((await login.done).outcome, "approved");
  assert.equal(faulty.faults.length, 0, "every fault was met");
  client.close();
});

test("a stream continues after the index that was given", async () => {
  const login = await demo.client.login();
  await demo.scan(login.url, "as resumed");
  await login.done;
  assert.deepEqual(await all(demo.client.events(login.streamId, { after: 1 })), WHOLE.slice(1));
  assert.deepEqual(await all(demo.client.events(login.streamId, { after: 2 })), []);
});

test("a login survives that the daemon is killed in the middle", async (t) => {
  const daemon = await Daemon.start(t, demo.relay, "[sessions]\nenabled = true\n");
  const login = await daemon.client.login();
  const steps = login.steps();
  await daemon.halt("SIGKILL");
  await daemon.resume();
  await demo.scan(login.url, "as survivor");
  const names = [];
  for await (const { step } of steps) names.push(step);
  assert.deepEqual(names, ["scanned", "approved"]);
  assert.equal((await login.done).outcome, "approved");
});

test("a stream that is not there is an error at once", async () => {
  const events = demo.client.events("01a22ab7-2bdb-77e5-a093-9132ab0953a4");
  await assert.rejects(events.next(), { code: "no_such_stream", status: 404 });
});

test("who follows a silent stream is let go by their signal, also while the daemon is away", async () => {
  const reason = new Error("enough");
  const nobody = new Portico({ socket: "/nonexistent/portico.sock" });
  for (const client of [demo.client, nobody]) {
    const login = await demo.client.login();
    const stop = new AbortController();
    const next = client.events(login.streamId, { signal: stop.signal }).next();
    setImmediate(() => stop.abort(reason));
    await assert.rejects(next, reason);
    await login.cancel();
    await login.done;
  }
});

test("without patience the error says that the daemon is unreachable", async () => {
  const nobody = new Portico({ socket: "/nonexistent/portico.sock" });
  const events = nobody.events("01a22ab7-2bdb-77e5-a093-9132ab0953a4", { patience: 300 });
  await assert.rejects(events.next(), { code: "unreachable" });
});
