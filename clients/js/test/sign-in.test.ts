import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Portico, safePath, SignIn } from "portico-client";
import { watch } from "portico-client/page";

import { Browser } from "./support/browser.js";
import { Program } from "./support/process.js";
import { script } from "./support/readme.js";
import { Demo } from "./support/stage.js";

let demo: Demo;
let app: Program;
let base: string;
before(async () => {
  demo = await Demo.start();
  const env = { PORTICO_SOCKET: demo.socket, PORT: "0", NODE_ENV: "production" };
  app = new Program(process.execPath, [await script("signIn.begin")], env);
  base = await app.lineOf((line) => (line.startsWith("http://") ? line : undefined));
});
after(async () => {
  await app.stop();
  await demo.stop();
});

/** The sign-in page, and the login URL on it. */
async function openPage(browser: Browser, path = "/sign-in"): Promise<{ page: string; url: string; wait: string }> {
  const page = await (await browser.get(path)).text();
  const url = /href="(portal:[^"]+)"/.exec(page)![1]!.replaceAll("&amp;", "&");
  assert.match(page, /<svg /);
  return { page, url, wait: /watch\("([^"]+)"/.exec(page)![1]! };
}

/** Does what the script of the page does. */
function follow(browser: Browser, wait: string, onStep?: () => void) {
  const ask: typeof fetch = (path) => browser.post(path as string);
  return watch(wait, onStep, { fetch: ask });
}

async function signedIn(how: string): Promise<Browser> {
  const browser = new Browser(base);
  const { url, wait } = await openPage(browser);
  const last = follow(browser, wait);
  await demo.scan(url, how);
  assert.equal((await last).step, "approved");
  return browser;
}

test("the app of the README: from a page that asks who you are, over the code, back to that page", async () => {
  const browser = new Browser(base);
  const asked = await browser.get("/admin?tab=2");
  assert.equal(asked.status, 303);
  const { page, url, wait } = await openPage(browser, asked.headers.get("location")!);
  assert.match(page, /location\.replace\("\/admin\?tab=2"\)/);
  const module = await browser.get("/page.js");
  assert.match(module.headers.get("content-type")!, /^text\/javascript/);
  assert.match(await module.text(), /export async function watch/);
  const steps: string[] = [];
  const last = follow(browser, wait, () => steps.push("scanned"));
  await demo.scan(url, "as reader");
  assert.equal((await last).step, "approved");
  assert.deepEqual([...browser.cookies.keys()].sort(), ["__Host-access", "__Host-wallet"]);
  assert.match(await (await browser.get("/")).text(), /^Hello, [0-9a-f-]{36}$/);
  assert.equal((await browser.get("/admin")).status, 403);
});

test("a role that an operator gives opens the page at once", async () => {
  const browser = await signedIn("as boss");
  const [, id] = /^Hello, (.+)$/.exec(await (await browser.get("/")).text())!;
  await demo.client.users.change(id!, { roles: ["admin"] });
  assert.equal(await (await browser.get("/admin")).text(), "Hello, admin");
});

test("after signing out, neither the browser nor its old cookies get in", async () => {
  const browser = await signedIn("as leaver");
  const old = new Map(browser.cookies);
  const answer = await browser.post("/sign-out");
  assert.deepEqual([answer.status, answer.headers.get("location")], [303, "/"]);
  assert.equal(browser.cookies.size, 0);
  assert.equal((await browser.get("/")).status, 303);
  const thief = new Browser(base);
  for (const [name, value] of old) thief.cookies.set(name, value);
  assert.equal((await thief.get("/", { accept: "*/*" })).status, 401);
});

test("the page says that the user declined, and the browser is not signed in", async () => {
  const browser = new Browser(base);
  const { url, wait } = await openPage(browser);
  const last = follow(browser, wait);
  await demo.scan(url, "as no-sayer no");
  assert.equal((await last).step, "declined");
  assert.equal(browser.cookies.size, 0);
});

test("stolen code: another browser that knows the URL, or the stream, gets nothing", async () => {
  const browser = new Browser(base);
  const { url, wait } = await openPage(browser);
  const [id] = browser.cookies.get("__Host-login")!.split(".");
  await demo.scan(url, "as victim");
  for (const cookie of [undefined, id!, `${id}.`, `${id}.${"A".repeat(43)}`, `.${"A".repeat(43)}`, "../info.x"]) {
    const thief = new Browser(base);
    if (cookie !== undefined) thief.cookies.set("__Host-login", cookie);
    const answer = await thief.post(wait);
    assert.equal(answer.status, 400);
    assert.deepEqual(await answer.json(), { error: "no_login" });
    assert.equal(answer.headers.getSetCookie().length, 0);
  }
  assert.equal((await follow(browser, wait)).step, "approved");
});

test("cookie tossing: a second login cookie, which somebody else set, is refused", async () => {
  const browser = new Browser(base);
  const { wait } = await openPage(browser);
  const own = browser.cookies.get("__Host-login");
  const attacker = new Browser(base);
  await openPage(attacker);
  const both = `__Host-login=${attacker.cookies.get("__Host-login")}; __Host-login=${own}`;
  assert.equal((await browser.post(wait, { cookie: both })).status, 400);
});

test("CSRF: another site can neither fetch the result nor sign the user out", async () => {
  const browser = await signedIn("as target");
  for (const headers of [{ "sec-fetch-site": "cross-site" }, { "sec-fetch-site": "same-site" }]) {
    assert.equal((await browser.post("/sign-out", headers)).status, 403);
    assert.equal((await browser.post("/sign-in/wait", headers)).status, 403);
  }
  assert.equal((await browser.get("/")).status, 200);
});

test("two tabs: each shows a code of its own, and either serves", async () => {
  const browser = new Browser(base);
  const tabs = [await openPage(browser), await openPage(browser)];
  for (const [n, { url, wait }] of tabs.entries()) {
    const last = follow(browser, wait);
    await demo.scan(url, `as tab-${n}`);
    assert.equal((await last).step, "approved");
    assert.equal((await browser.post(wait)).status, 400, "the result of a login is given once");
  }
  assert.ok(!browser.cookies.has("__Host-login"));
});

test("many tabs: the cookie does not grow without end, and the latest codes serve", async () => {
  const browser = new Browser(base);
  const tabs = [];
  for (let n = 0; n < 6; n++) tabs.push(await openPage(browser));
  assert.ok(browser.cookies.get("__Host-login")!.length < 400);
  assert.equal((await browser.post(tabs[0]!.wait)).status, 400);
  const [first, last] = [tabs[2]!, tabs[5]!];
  for (const { url, wait } of [first, last]) {
    const told = follow(browser, wait);
    await demo.scan(url, "as many-tabs");
    assert.equal((await told).step, "approved");
  }
});

test("a page that asks late, or a second time, gets the end", async () => {
  const browser = new Browser(base);
  const { url, wait } = await openPage(browser);
  await demo.scan(url, "as walker");
  const stream = browser.cookies.get("__Host-login")!.split(".")[0]!;
  for await (const _ of demo.client.events(stream));
  const kept = browser.cookies.get("__Host-login")!;
  assert.deepEqual(await (await browser.post(`${wait}&after=2`)).json(), { step: "approved", index: 2 });
  browser.cookies.set("__Host-login", kept);
  assert.deepEqual(await (await browser.post(`${wait}&after=x`)).json(), { step: "approved", index: 2 });
});

test("open redirects: a path that leads to another site, or out of the page's script, is not followed", async () => {
  for (const path of [
    "//evil.example",
    "/\\evil.example",
    "https://evil.example",
    "/a\nb",
    '/"</script>',
    "/'",
    "",
    undefined,
    ["/a"],
  ]) {
    assert.equal(safePath(path), "/", String(path));
  }
  for (const path of ["/", "/orders/7?page=2&sort=a%20b#end", "/~me/(x)/[y]/é".replace("é", "%C3%A9")]) {
    assert.equal(safePath(path), path);
  }
  const { page } = await openPage(new Browser(base), "/sign-in?return_to=%2F%22%3C%2Fscript%3E%3Cscript%3E");
  assert.match(page, /location\.replace\("\/"\)/);
});

test("processes with one secret serve one login, and others do not", async () => {
  const secret = "0123456789abcdef0123456789abcdef";
  const { cookie, id } = await new SignIn(demo.client, { secret }).begin(null);
  const request = () =>
    new Request(`http://localhost/?login=${id}`, { method: "POST", headers: { cookie: cookie.split(";")[0]! } });
  const stream = cookie.slice("__Host-login=".length).split(".")[0]!;
  await demo.client.call("DELETE", `/key-handshake/${stream}`);
  const told = await new SignIn(demo.client, { secret }).wait(request());
  assert.equal(((await told.json()) as { code: string }).code, "cancelled");
  assert.equal((await new SignIn(demo.client).wait(request())).status, 400);
  assert.throws(() => new SignIn(demo.client, { secret: "short" }), { code: "bad_options" });
});

test("while the daemon is unavailable the page retries", async () => {
  const nobody = new SignIn(new Portico({ socket: "/nonexistent/portico.sock" }), { secret: "x".repeat(32) });
  const working = new SignIn(demo.client, { secret: "x".repeat(32) });
  const { url, cookie, id } = await working.begin(null);
  const signIns = [nobody, nobody, working];
  const answers: number[] = [];
  const ask: typeof fetch = async (path) => {
    if (answers.length === 0) await demo.scan(url, "as patient");
    const request = new Request(`http://localhost${path}`, {
      method: "POST",
      headers: { cookie: cookie.split(";")[0]! },
    });
    const answer = await (signIns.shift() ?? working).wait(request);
    answers.push(answer.status);
    return answer;
  };
  assert.equal((await watch(`/sign-in/wait?login=${id}`, undefined, { fetch: ask })).step, "approved");
  assert.deepEqual(answers.slice(0, 3), [503, 503, 200]);
});

test("a session ends also if the daemon does not accept the browser's access token", async () => {
  const browser = await signedIn("as mixed");
  const { user } = await demo.client.check({
    access_token: browser.cookies.get("__Host-access")!,
    credential: browser.cookies.get("__Host-wallet")!,
  });
  browser.cookies.set("__Host-access", "of-another-service");
  assert.equal((await browser.post("/sign-out")).status, 303);
  for await (const session of demo.client.users.sessions(user.id)) assert.equal(session.reason, "logout");
});

test("a browser that leaves is no error of the app", async () => {
  const signIn = new SignIn(demo.client);
  const { cookie, id } = await signIn.begin(null);
  const leaves = new AbortController();
  const init = { method: "POST", headers: { cookie: cookie.split(";")[0]! }, signal: leaves.signal };
  const answer = signIn.wait(new Request(`http://localhost/?login=${id}`, init));
  setImmediate(() => leaves.abort());
  assert.equal((await answer).status, 503);
});

test("a link cannot sign anybody out, nor fetch a result", async () => {
  const signIn = new SignIn(demo.client);
  for (const method of ["GET", "HEAD", "PUT"]) {
    const request = () => new Request("http://localhost/", { method });
    assert.equal((await signIn.signOut(request())).status, 405);
    assert.equal((await signIn.wait(request())).status, 405);
  }
});

test("a mistake in the page's own code is thrown, and not asked again", async () => {
  const mistake = new Error("of the page");
  let asked = 0;
  const ask: typeof fetch = async () => (asked++, Response.json({ step: "scanned", index: 1 }));
  const onStep = () => {
    throw mistake;
  };
  await assert.rejects(watch("/sign-in/wait", onStep, { fetch: ask }), mistake);
  assert.equal(asked, 1);
});

test("no poll storm: a server that never waits is not asked without a pause", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const stop = new AbortController();
  let asked = 0;
  const ask: typeof fetch = async () => (asked++, Response.json({ step: "waiting" }));
  const watched = watch("/sign-in/wait", undefined, { fetch: ask, signal: stop.signal });
  for (let turn = 0; turn < 100; turn++) await new Promise(setImmediate);
  assert.equal(asked, 1);
  t.mock.timers.tick(1_000);
  for (let turn = 0; turn < 100; turn++) await new Promise(setImmediate);
  assert.equal(asked, 2);
  stop.abort();
  await assert.rejects(watched);
});

test("a page that is left ends its request, and one that comes back asks at once", async () => {
  const reason = new Error("left");
  const stop = new AbortController();
  const asked: (AbortSignal | null | undefined)[] = [];
  const silent: typeof fetch = (_path, init) => {
    asked.push(init?.signal);
    return new Promise((_resolve, reject) =>
      init?.signal?.addEventListener("abort", () => reject(new Error("aborted"))),
    );
  };
  const page = Object.assign(new EventTarget(), { visibilityState: "visible" });
  Object.assign(globalThis, { document: page });
  const watched = watch("/sign-in/wait", undefined, { fetch: silent, signal: stop.signal });
  page.dispatchEvent(new Event("visibilitychange"));
  while (asked.length < 2) await new Promise(setImmediate);
  assert.deepEqual(
    asked.map((signal) => signal?.aborted),
    [true, false],
  );
  stop.abort(reason);
  await assert.rejects(watched, reason);
  assert.equal(asked[1]?.aborted, true);
  Reflect.deleteProperty(globalThis, "document");
});
