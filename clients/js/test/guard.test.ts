import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, test, type TestContext } from "node:test";

import express from "express";
import { fastify, type FastifyRequest } from "fastify";
import { Hono } from "hono";

import { Portico, type Member, type Rules } from "portico-client";
import { guard as expressGuard } from "portico-client/express";
import { guard as fastifyGuard, type Guarded as FastifyGuarded } from "portico-client/fastify";
import { guard as honoGuard, type Guarded as HonoGuarded } from "portico-client/hono";
import { guard as nextGuard } from "portico-client/next";

import { Demo } from "./support/stage.js";

/** An app. Each of its routes answers with the user's id and sets a cookie of its own. */
interface App {
  ask(path: string, init?: RequestInit): Promise<Response>;
  stop(): Promise<void>;
}

type Start = (portico: Portico, rules: Rules) => Promise<App>;

const OWN = "theme=dark";

async function up(t: TestContext, start: Start, portico: Portico, rules: Rules): Promise<App> {
  const app = await start(portico, rules);
  t.after(() => app.stop());
  return app;
}

async function onExpress(portico: Portico, rules: Rules): Promise<App> {
  const app = express().set("env", "test"); // so that it prints no errors
  const shop = express.Router();
  shop.use(expressGuard(portico, rules), (_req, res) => {
    res.append("set-cookie", OWN).send((res.locals["user"] as Member).id);
  });
  // A mounted router sees only the rest of the path.
  app.use("/shop", shop);
  const server = app.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const stop = async () => {
    server.closeAllConnections();
    server.close();
  };
  return { ask: (path, init) => fetch(`http://127.0.0.1:${port}${path}`, { redirect: "manual", ...init }), stop };
}

async function onFastify(portico: Portico, rules: Rules): Promise<App> {
  const app = fastify();
  await app.register(async (shop) => {
    await shop.register(fastifyGuard(portico, rules));
    shop.all("/shop*", async (request, reply) => {
      reply.header("set-cookie", OWN);
      return (request as FastifyRequest & FastifyGuarded).user.id;
    });
  });
  // The guard does not apply to another scope.
  app.get("/open", async () => "open");
  const base = await app.listen({ port: 0, host: "127.0.0.1" });
  assert.equal(await (await fetch(`${base}/open`)).text(), "open");
  return { ask: (path, init) => fetch(base + path, { redirect: "manual", ...init }), stop: () => app.close() };
}

async function onHono(portico: Portico, rules: Rules): Promise<App> {
  const app = new Hono<HonoGuarded>();
  app.use("/shop/*", honoGuard(portico, rules));
  app.all("/shop/*", (c) => {
    c.header("set-cookie", OWN);
    return c.text(c.get("user").id);
  });
  return { ask: async (path, init) => app.request(`http://shop.example${path}`, init), stop: async () => {} };
}

async function onNext(portico: Portico, rules: Rules): Promise<App> {
  const handler = nextGuard(portico, rules, (_request, { user }, context: { params: Promise<{ id: string }> }) => {
    assert.ok(context.params instanceof Promise);
    return new Response(user.id, { headers: { "set-cookie": OWN } });
  });
  const context = { params: Promise.resolve({ id: "7" }) };
  return {
    ask: (path, init) => handler(new Request(`http://shop.example${path}`, init), context),
    stop: async () => {},
  };
}

const FRAMEWORKS = { express: onExpress, fastify: onFastify, hono: onHono, next: onNext };

let demo: Demo;
let user: string;
let tokens: { access_token: string; credential: string };
before(async () => {
  demo = await Demo.start();
  const { session_token, login } = await demo.approved();
  user = login.user.id;
  tokens = { access_token: login.access_token, credential: session_token };
});
after(() => demo.stop());

const bearer = () => ({ authorization: `Bearer ${tokens.access_token}`, "x-wallet-session": tokens.credential });
const cookies = () => ({ cookie: `a=b; __Host-access=${tokens.access_token}; __Host-wallet=${tokens.credential}` });
const post = (headers: Record<string, string>) => ({ method: "POST", headers });

for (const [name, start] of Object.entries(FRAMEWORKS)) {
  test(`${name}: both tokens let a user in, in headers and in cookies`, async (t) => {
    const app = await up(t, start, demo.client, {});
    for (const headers of [bearer(), cookies()]) {
      const answer = await app.ask("/shop/", { headers });
      assert.equal(answer.status, 200);
      assert.equal(await answer.text(), user);
      assert.deepEqual(answer.headers.getSetCookie(), [OWN]);
    }
  });

  test(`${name}: a request without both valid tokens is refused`, async (t) => {
    const app = await up(t, start, demo.client, {});
    const { access_token, credential } = tokens;
    const twice = `__Host-access=${access_token}; __Host-wallet=${credential}; __Host-wallet=other`;
    const refused: [Record<string, string>, string][] = [
      [{}, "not_signed_in"],
      [{ authorization: "Basic dTpw" }, "not_signed_in"],
      [{ authorization: "Bearer x" }, "invalid_token"],
      [{ authorization: `Bearer ${access_token}` }, "credential_required"],
      [{ ...bearer(), "x-wallet-session": "x" }, "malformed_token"],
      [{ ...bearer(), "x-wallet-session": access_token }, "unsupported_algorithm"],
      [{ authorization: `Bearer ${access_token}`, ...cookies() }, "credential_required"],
      [{ cookie: "__Host-access=; __Host-wallet=" }, "not_signed_in"],
      [{ cookie: `__Host-wallet=${"x".repeat(9_000)}` }, "malformed_token"],
      [{ cookie: twice }, "credential_required"],
    ];
    for (const [headers, error] of refused) {
      const answer = await app.ask("/shop/", { headers });
      assert.equal(answer.status, 401, error);
      assert.match(answer.headers.get("www-authenticate")!, /^Bearer/);
      assert.deepEqual(await answer.json(), { error });
    }
  });

  test(`${name}: without an access token the cookie of the credential gets a new one`, async (t) => {
    const app = await up(t, start, demo.client, {});
    for (const access of ["", "__Host-access=of-another-service; "]) {
      const answer = await app.ask("/shop/", { headers: { cookie: `${access}__Host-wallet=${tokens.credential}` } });
      assert.equal(await answer.text(), user);
      const set = answer.headers.getSetCookie();
      assert.ok(set.includes(OWN) && set.length === 2, String(set));
      const access_token = /^__Host-access=([^;]+); Path=\/; Secure; HttpOnly; SameSite=Lax; Expires=/.exec(
        set.find((line) => line !== OWN)!,
      )![1]!;
      await demo.client.check({ ...tokens, access_token });
    }
  });

  test(`${name}: a role that is missing keeps a user out`, async (t) => {
    for (const rules of [{ roles: ["admin"] }, { permissions: ["ledger:read"] }]) {
      const app = await up(t, start, demo.client, rules);
      const answer = await app.ask("/shop/", { headers: cookies() });
      assert.equal(answer.status, 403);
      assert.match(((await answer.json()) as { error: string }).error, /^(role|permission)_missing$/);
    }
  });

  test(`${name}: a browser that asks for a page is sent to the sign-in page, and nothing else is`, async (t) => {
    const app = await up(t, start, demo.client, { signIn: "/sign-in" });
    const html = { accept: "text/html,*/*;q=0.8" };
    const sent = await app.ask("/shop/?page=2", { headers: html });
    assert.equal(sent.status, 303);
    assert.equal(sent.headers.get("location"), "/sign-in?return_to=%2Fshop%2F%3Fpage%3D2");
    assert.equal((await app.ask("/shop/", { headers: { accept: "application/json" } })).status, 401);
    assert.equal((await app.ask("/shop/", post(html))).status, 401);
  });

  test(`${name}: CSRF: what another site makes a browser send is refused, with cookies alone`, async (t) => {
    const app = await up(t, start, demo.client, { origin: "https://shop.example" });
    const refused = [
      { "sec-fetch-site": "cross-site" },
      { "sec-fetch-site": "same-site" },
      { origin: "https://evil.example" },
      { origin: "http://shop.example" },
      { origin: "null" },
    ];
    for (const headers of refused) {
      const answer = await app.ask("/shop/", post({ ...cookies(), ...headers }));
      assert.equal(answer.status, 403, JSON.stringify(headers));
      assert.deepEqual(await answer.json(), { error: "cross_site_request" });
      assert.equal((await app.ask("/shop/", post({ ...bearer(), ...headers }))).status, 200);
      assert.equal((await app.ask("/shop/", { headers: { ...cookies(), ...headers } })).status, 200);
    }
    for (const headers of [{ "sec-fetch-site": "same-origin" }, { origin: "https://shop.example" }, {}]) {
      assert.equal((await app.ask("/shop/", post({ ...cookies(), ...headers }))).status, 200);
    }
  });

  test(`${name}: while the daemon is away nobody is let in, and nobody is signed out`, async (t) => {
    const nobody = new Portico({ socket: "/nonexistent/portico.sock" });
    const app = await up(t, start, nobody, { signIn: "/sign-in" });
    const answer = await app.ask("/shop/", { headers: { ...cookies(), accept: "text/html" } });
    assert.equal(answer.status, 503);
    assert.equal(answer.headers.get("retry-after"), "1");
    assert.deepEqual(answer.headers.getSetCookie(), []);
  });
}

test("a wrong API token is not taken for a user who is signed out", async (t) => {
  const wrong = new Portico({ url: demo.url, token: "wrong" });
  const request = new Request("http://shop.example/", { headers: cookies() });
  await assert.rejects(wrong.authenticate(request), { code: "unauthorized", status: 500 });
  const app = await up(t, onExpress, wrong, {});
  assert.equal((await app.ask("/shop/", { headers: cookies() })).status, 500);
  wrong.close();
});

test("without an address of its own, the app's is what the browser asked for", async () => {
  const ask = (headers: Record<string, string>) =>
    demo.client.authenticate(
      new Request("http://localhost/", { method: "POST", headers: { ...cookies(), ...headers } }),
    );
  const host = { host: "shop.example" };
  assert.ok(!((await ask({ ...host, origin: "https://shop.example" })) instanceof Response));
  const refused = await ask({ ...host, origin: "https://evil.example" });
  assert.ok(refused instanceof Response && refused.status === 403);
});

test("a session that was ended clears the cookies", async () => {
  const { session_token, login } = await demo.approved(demo.client, "as leaver");
  await demo.client.logout({ access_token: login.access_token });
  const headers = { cookie: `__Host-access=${login.access_token}; __Host-wallet=${session_token}` };
  const refused = await demo.client.authenticate(new Request("http://localhost/", { headers }));
  assert.ok(refused instanceof Response && refused.status === 401);
  const names = refused.headers.getSetCookie().map((line) => line.split(";")[0]);
  assert.deepEqual(names, ["__Host-access=", "__Host-wallet="]);
});
