import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import type { User } from "portico-client";

import { Demo } from "./support/stage.js";

let demo: Demo;
before(async () => void (demo = await Demo.start()));
after(() => demo.stop());

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found = [];
  for await (const item of items) found.push(item);
  return found;
}

test("a change holds from the next check, and only for the revision that was read", async () => {
  const { users } = demo.client;
  const { session_token, login } = await demo.approved(demo.client, "as ruth");
  const { user, etag } = await users.get(login.user.id);
  assert.deepEqual(user.roles, []);
  const changed = await users.change(user.id, { roles: ["admin"] }, { ifMatch: etag });
  assert.deepEqual(changed.user.roles, ["admin"]);
  assert.notEqual(changed.etag, etag);
  const late = users.change(user.id, { roles: [] }, { ifMatch: etag });
  await assert.rejects(late, { code: "precondition_failed", status: 412 });
  await assert.rejects(users.delete(user.id, { ifMatch: etag }), { status: 412 });
  const checked = await demo.client.check({ access_token: login.access_token, credential: session_token });
  assert.deepEqual(checked.user.roles, ["admin"]);
});

test("sessions of a user are listed, and ended one by one or all together", async () => {
  const { users } = demo.client;
  const first = await demo.approved(demo.client, "as sam");
  const second = await demo.approved(demo.client, "as sam");
  const id = first.login.user.id;
  assert.equal(second.login.user.id, id);
  assert.equal((await all(users.sessions(id))).length, 2);
  assert.equal(await users.revokeSession(first.login.session.id), 1);
  assert.equal(await users.revokeSessions(id), 1);
  assert.deepEqual(
    (await all(users.sessions(id))).map(({ reason }) => reason),
    ["operator", "operator"],
  );
});

test("who is invited has a user before the first login, once", async () => {
  const { users } = demo.client;
  const wallet_id = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
  const { user } = await users.invite({ wallet_id, roles: ["admin"] });
  assert.equal(user.logins, 0);
  await assert.rejects(users.invite({ wallet_id }), { code: "user_exists", status: 409 });
  assert.deepEqual(
    (await all(users.list({ role: "admin", wallet_id }))).map(({ id }) => id),
    [user.id],
  );
  await users.delete(user.id);
  await assert.rejects(users.get(user.id), { status: 404 });
});

test("a list goes over all pages", async () => {
  const { users } = demo.client;
  for (const name of ["uma", "vic", "wes"]) await demo.approved(demo.client, `as ${name}`);
  const whole = await all(users.list());
  assert.ok(whole.length >= 3);
  const ids = (list: User[]) => list.map(({ id }) => id);
  assert.deepEqual(ids(await all(users.list({ limit: 1 }))), ids(whole));
});

test("an id cannot lead to another route", async () => {
  await assert.rejects(demo.client.users.get("../info"), { status: 404 });
  await assert.rejects(demo.client.users.get("?limit=1"), { status: 404 });
});
