import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, test } from "node:test";

import express from "express";

import { Portico } from "portico-client";

import { Demo } from "./support/stage.js";

let demo: Demo;
before(async () => void (demo = await Demo.start()));
after(() => demo.stop());

test("asked with the service's key, a wallet's token names the user", async () => {
  const { session_token, user_key } = await demo.approved();
  const claims = await demo.client.verifyJwt(demo.publicKey, session_token);
  assert.equal(claims.target_key, user_key);
  assert.equal(claims.token_type, "wallet");
});

test("a token that this service issues is for the key and the hours that were asked for", async () => {
  const { user_key } = await demo.approved();
  const token = await demo.client.issueJwt(user_key, 24);
  const claims = await demo.client.verifyJwt(demo.publicKey, token);
  assert.equal(claims.target_key, user_key);
  assert.equal(claims.expires_at - claims.issued_at!, 24 * 3_600);
});

test("a revoked token and one that was altered do not hold, each with its reason", async () => {
  const { user_key } = await demo.approved();
  const token = await demo.client.issueJwt(user_key, 1);
  assert.deepEqual(await demo.client.jwt.revoke(token), { revoked: true, already_revoked: false });
  await assert.rejects(demo.client.verifyJwt(demo.publicKey, token), { code: "token_revoked", status: 400 });
  const [head, , mac] = token.split(".");
  const altered = [head, Buffer.from('{"exp":9999999999}').toString("base64url"), mac].join(".");
  await assert.rejects(demo.client.verifyJwt(demo.publicKey, altered), { code: "invalid_signature" });
});

test("many questions get their answers in their order", async () => {
  const { session_token, user_key } = await demo.approved();
  const [yes, no, withSession] = await demo.client.jwt.verifyMany([
    { pubkey: demo.publicKey, token: session_token },
    { pubkey: demo.publicKey, token: "x.y.z" },
    { pubkey: demo.publicKey, token: session_token, session: true },
  ]);
  assert.ok(yes?.success && yes.data.target_key === user_key);
  assert.ok(no?.success === false && no.code === "malformed_token");
  assert.ok(withSession?.success && withSession.data.user?.wallet_id === user_key);
});

test("where the sign-in page is off, no code is redeemed", async () => {
  await assert.rejects(demo.client.redeem("shop", "code"), { code: "web_off", status: 404 });
});

/** A middleware as in the guides for Portal's SDK: two arguments, a claim, and an exception for a refusal. */
test("a middleware that was written for Portal's SDK works with this client", async () => {
  const portalClient = new Portico({ socket: demo.socket });
  process.env["SERVICE_PUBKEY"] = demo.publicKey;
  const app = express();
  app.get("/api/me", async (req, res) => {
    const [scheme, token] = (req.headers.authorization ?? "").split(" ");
    if (scheme !== "Bearer" || token === undefined) return void res.status(401).json({ error: "no token" });
    try {
      const claims = await portalClient.verifyJwt(process.env["SERVICE_PUBKEY"]!, token);
      res.json({ user: claims.target_key });
    } catch {
      res.status(401).json({ error: "invalid token" });
    }
  });
  const server = app.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const ask = (headers: Record<string, string>) => fetch(`http://127.0.0.1:${port}/api/me`, { headers });
  const { session_token, user_key } = await demo.approved();
  const answer = await ask({ authorization: `Bearer ${session_token}` });
  assert.deepEqual(await answer.json(), { user: user_key });
  assert.equal((await ask({ authorization: "Bearer a.b.c" })).status, 401);
  assert.equal((await ask({})).status, 401);
  portalClient.close();
  server.closeAllConnections();
  server.close();
});
