import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Portico, PorticoError, type Checked, type Shown } from "portico-client";

import { Faulty } from "./support/faulty.js";
import { Daemon, Demo } from "./support/stage.js";

let demo: Demo;
before(async () => void (demo = await Demo.start()));
after(() => demo.stop());

async function tokens(how: string): Promise<{ access_token: string; credential: string }> {
  const { session_token, login } = await demo.approved(demo.client, how);
  return { access_token: login.access_token, credential: session_token };
}

test("both tokens pass together, and not with a token of another user", async () => {
  const [alice, bob] = [await tokens("as alice"), await tokens("as bob")];
  const checked: Checked = await demo.client.check(alice);
  assert.equal(checked.active, true);
  assert.equal(checked.claims?.sub, checked.user.id);
  const mixed = demo.client.check({ ...alice, credential: bob.credential });
  await assert.rejects(mixed, { code: "session_mismatch", status: 401 });
  await assert.rejects(demo.client.check({ access_token: alice.access_token }), { code: "credential_required" });
});

test("after a logout neither token lets anybody in", async () => {
  const carol = await tokens("as carol");
  assert.equal(await demo.client.logout({ access_token: carol.access_token }), 1);
  await assert.rejects(demo.client.check(carol), { code: "session_revoked", status: 401 });
  await assert.rejects(demo.client.refresh(carol), { status: 401 });
});

test("those who renew the same token at the same time share one request, and the next one asks again", async (t) => {
  const dora = await tokens("as dora");
  const faulty = await Faulty.before(t, demo.socket);
  const client = new Portico({ socket: faulty.socket });
  const renewed = await Promise.all(Array.from({ length: 20 }, () => client.refresh(dora)));
  assert.equal(faulty.count("/auth/refresh"), 1);
  assert.equal(new Set(renewed.map(({ access_token }) => access_token)).size, 1);
  await demo.client.check({ ...dora, access_token: renewed[0]!.access_token });
  await client.refresh(dora);
  assert.equal(faulty.count("/auth/refresh"), 2);
  // A failed renewal is not kept either.
  faulty.faults.push("broken");
  const failed = await Promise.allSettled([client.refresh(dora), client.refresh(dora)]);
  assert.deepEqual(
    failed.map(({ status }) => status),
    ["rejected", "rejected"],
  );
  await client.refresh(dora);
  client.close();
});

test("a check gives up after two seconds", async () => {
  const client = new Portico({ url: demo.url, token: demo.token, fetch: never });
  const begun = performance.now();
  await assert.rejects(client.check({ access_token: "a", credential: "b" }), { code: "no_answer", message: /2000 ms/ });
  assert.ok(performance.now() - begun >= 1_990);
});

/** A network that never answers. */
const never: typeof fetch = (_url, init) =>
  new Promise((_resolve, reject) => init?.signal?.addEventListener("abort", () => reject(new Error("aborted"))));

test("an access token that has expired says so, and is renewed in the same session", async (t) => {
  const daemon = await Daemon.start(t, demo.relay, '[sessions]\nenabled = true\n[access]\nlifetime = "10s"\n');
  const { session_token, login } = await demo.approved(daemon.client, "as eve");
  const shown = { access_token: login.access_token, credential: session_token };
  const error = await refusalOf(daemon.client, shown);
  assert.deepEqual([error.code, error.status, error.renewable], ["token_expired", 401, true]);

  const headers = { cookie: `__Host-access=${shown.access_token}; __Host-wallet=${shown.credential}` };
  const request = () => new Request("http://localhost/", { headers });
  const found = await Promise.all([1, 2, 3].map(() => daemon.client.authenticate(request())));
  for (const one of found) {
    assert.ok(!(one instanceof Response));
    assert.equal(one.session.id, login.session.id);
    const [cookie = ""] = one.setCookies;
    const expires = Date.parse(/Expires=([^;]+)/.exec(cookie)![1]!);
    assert.equal(expires, Math.floor(Date.parse(login.session.expires_at) / 1_000) * 1_000);
    const access_token = /^__Host-access=([^;]+)/.exec(cookie)![1]!;
    assert.equal((await daemon.client.check({ ...shown, access_token })).session.id, login.session.id);
  }

  // A client that sends headers renews its token itself, because an answer has no place for a new one.
  const bearer = { authorization: `Bearer ${shown.access_token}`, "x-wallet-session": shown.credential };
  const refused = await daemon.client.authenticate(new Request("http://localhost/", { headers: bearer }));
  assert.ok(refused instanceof Response);
  assert.equal(refused.status, 401);
  assert.deepEqual(await refused.json(), { error: "token_expired" });
});

test("new access keys sign nobody out: the credential alone renews every token", async (t) => {
  const daemon = await Daemon.start(t, demo.relay, "[sessions]\nenabled = true\n");
  const { session_token, login } = await demo.approved(daemon.client, "as keeper");
  const shown = { access_token: login.access_token, credential: session_token };
  await daemon.loseAccessKeys();
  await daemon.resume();
  await assert.rejects(daemon.client.check(shown), { code: "invalid_token", status: 401, renewable: false });

  const headers = { cookie: `__Host-access=${shown.access_token}; __Host-wallet=${shown.credential}` };
  const found = await daemon.client.authenticate(new Request("http://localhost/", { headers }));
  assert.ok(!(found instanceof Response));
  assert.equal(found.session.id, login.session.id);
  const access_token = /^__Host-access=([^;]+)/.exec(found.setCookies[0]!)![1]!;
  assert.equal((await daemon.client.check({ ...shown, access_token })).session.id, login.session.id);

  // A client that sends headers leaves the old access token out.
  await assert.rejects(daemon.client.refresh(shown), { code: "invalid_token" });
  assert.equal((await daemon.client.refresh({ credential: session_token })).session.id, login.session.id);
});

/** Checks until Portico rejects the tokens. */
async function refusalOf(client: Portico, shown: Shown): Promise<PorticoError> {
  for (;;) {
    try {
      await client.check(shown);
      await new Promise((resolve) => setTimeout(resolve, 100));
    } catch (error) {
      assert.ok(error instanceof PorticoError);
      return error;
    }
  }
}
