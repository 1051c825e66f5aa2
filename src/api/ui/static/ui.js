// The operator's page. Texts of strangers only ever become text nodes: no markup is made from strings, and the policy of
// the page (trusted types) would refuse it.

const POLL = 5000;
const ASK = 1500;
// Ten minutes of latencies for each relay.
const POINTS = 120;
const KEY = "portico-ui-key";
const SVG = "http://www.w3.org/2000/svg";

const $ = (id) => document.getElementById(id);
const latencies = new Map();
let key = remembered();
let session = null;
let timer = 0;
let walletTimer = 0;

// Asking Portico.

function remembered() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

// Without its cookie, which scripts cannot read, the key opens nothing.
function remember(value) {
  key = value;
  try {
    if (value) localStorage.setItem(KEY, value);
    else localStorage.removeItem(KEY);
  } catch {
    // The session then lasts as long as the page.
  }
}

async function ask(method, path, { body, as = key } = {}) {
  const answer = await fetch(path, {
    method,
    headers: { "x-portico-ui": as || "1", ...(body && { "content-type": "application/json" }) },
    body: body && JSON.stringify(body),
    cache: "no-store",
    redirect: "error",
  });
  const told = await answer.json();
  if (told.success) return told.data;
  const error = new Error(told.error);
  throw Object.assign(error, { status: answer.status, code: told.code, wait: Number(answer.headers.get("retry-after")) });
}

// Making nodes.

function make(name, attributes = {}, ...inside) {
  return fill(document.createElement(name), attributes, inside);
}

function draw(name, attributes = {}, ...inside) {
  return fill(document.createElementNS(SVG, name), attributes, inside);
}

function fill(node, attributes, inside) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...inside.flat(Infinity).filter((one) => one !== null && one !== undefined && one !== false));
  return node;
}

// Shows new content where it differs, so that focus, selection and the reader's place stay.
function show(place, ...inside) {
  const next = make("div", {}, ...inside);
  morph(place, next);
}

function morph(old, next) {
  const before = [...old.childNodes];
  [...next.childNodes].forEach((child, at) => {
    const known = before[at];
    const isSame = known && known.nodeName === child.nodeName;
    if (!known) old.append(child);
    else if (!isSame) known.replaceWith(child);
    else if (child.nodeType === Node.TEXT_NODE) {
      if (known.data !== child.data) known.data = child.data;
    } else {
      for (const { name } of [...known.attributes]) if (!child.hasAttribute(name)) known.removeAttribute(name);
      for (const { name, value } of child.attributes) if (known.getAttribute(name) !== value) known.setAttribute(name, value);
      morph(known, child);
    }
  });
  before.slice(next.childNodes.length).forEach((node) => node.parentNode === old && node.remove());
}

const stranger = (text) => make("bdi", {}, text ?? "");
const count = (number) => (number ?? 0).toLocaleString("en");
const pill = (text, kind = "") => make("span", { class: `pill ${kind}` }, text);

function when(text) {
  if (!text) return "never";
  const seconds = (Date.now() - Date.parse(text)) / 1000;
  const [number, unit] = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]]
    .map(([size, name]) => [Math.floor(Math.abs(seconds) / size), name])
    .find(([some]) => some > 0) ?? [0, "s"];
  const words = seconds >= 0 ? `${number} ${unit} ago` : `in ${number} ${unit}`;
  return make("time", { class: "when", datetime: text, title: text }, words);
}

function bytes(number) {
  if (number === null || number === undefined) return "unknown";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const step = Math.min(Math.floor(Math.log2(Math.max(number, 1)) / 10), units.length - 1);
  return `${(number / 1024 ** step).toFixed(step ? 1 : 0)} ${units[step]}`;
}

function table(name, heads, rows, nothing) {
  if (!rows.length) return make("p", { class: "soft" }, nothing);
  const head = heads.map((text) => make("th", { scope: "col", class: text.startsWith("#") && "n" }, text.replace("#", "")));
  return make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `${name} (table)` },
    make("table", {}, make("thead", {}, make("tr", {}, head)), make("tbody", {}, rows)));
}

const row = (...cells) => make("tr", {}, cells.map((cell) => (cell?.nodeName === "TD" ? cell : make("td", {}, cell))));
const number = (value) => make("td", { class: "n" }, count(value));
const pairs = (...entries) => make("dl", { class: "pairs" }, entries.filter(Boolean).flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
const figures = (...entries) => make("dl", { class: "figures" }, entries.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, count(value)))));

// Charts.

function bars(minutes) {
  const most = Math.max(1, ...minutes.map(([good, bad]) => good + bad));
  const all = minutes.length;
  const [good, bad] = [0, 1].map((which) => minutes.reduce((sum, one) => sum + one[which], 0));
  const parts = minutes.flatMap(([approved, failed], at) => {
    const [x, width] = [60 - all + at + 1.1, 0.8];
    const [up, more] = [(38 * approved) / most, (38 * failed) / most];
    return [
      draw("rect", { class: "a", x, width, y: 40 - up, height: up }),
      draw("rect", { class: "b", x, width, y: 40 - up - more, height: more }),
    ];
  });
  const name = `Logins by minute, ${all} minutes: ${good} approved, ${bad} failed, at most ${most} in one minute`;
  return draw("svg", { class: "chart", viewBox: "0 0 61 41", preserveAspectRatio: "none", role: "img", "aria-label": name },
    draw("line", { class: "axis", x1: 0, x2: 61, y1: 40.5, y2: 40.5 }), parts);
}

function spark(relay, points) {
  const known = points.filter((point) => point !== null);
  const most = Math.max(1, ...known);
  const place = (point, at) => `${(100 * (at + POINTS - points.length)) / (POINTS - 1)} ${19 - (17 * point) / most}`;
  let path = "";
  let open = false;
  points.forEach((point, at) => {
    if (point !== null) path += `${open ? "L" : "M"}${place(point, at)}`;
    open = point !== null;
  });
  const off = points.map((point, at) => point === null && draw("rect", { class: "off", x: (100 * (at + POINTS - points.length)) / (POINTS - 1), y: 18, width: 1, height: 2 }));
  const name = known.length ? `Latency over time: now ${Math.round(known.at(-1))} ms, at most ${Math.round(most)} ms` : "No latency yet";
  return draw("svg", { class: "spark", viewBox: "0 0 101 20", preserveAspectRatio: "none", role: "img", "aria-label": name },
    path && draw("path", { d: path }), off);
}

// The overview.

function showHealth(all) {
  const own = all.relays.filter((relay) => relay.origin !== "preferred" && relay.state !== "removed").length;
  const health = $("health");
  health.hidden = false;
  health.className = `pill ${all.ready === 0 ? "bad" : all.ready < own ? "warn" : "good"}`;
  health.textContent = `${all.ready} of ${own} relays ready`;
}

function showLogins({ seconds, ended, opened, refused, minutes }) {
  const sum = (rows) => rows.reduce((total, one) => total + one.times, 0);
  const approved = sum(ended.filter((one) => one.outcome === "approved"));
  const span = seconds < 3500 ? `The daemon has counted for ${Math.max(1, Math.round(seconds / 60))} min.` : "";
  const byTimes = (rows) => rows.toSorted((one, other) => other.times - one.times);
  show($("logins"),
    figures(["opened", sum(opened)], ["approved", approved], ["ended otherwise", sum(ended) - approved]),
    bars(minutes),
    make("p", { class: "soft" }, make("span", { class: "key a" }), "approved ", make("span", { class: "key b" }), `ended otherwise, by minute. ${span}`),
    table("Logins by outcome", ["Outcome", "Code", "#Times"], byTimes(ended).map((one) => row(one.outcome, make("code", {}, one.code), number(one.times))), "No login has ended."),
    refused.length > 0 && make("h3", {}, "Refused checks of sessions"),
    refused.length > 0 && table("Refused checks", ["Check", "Code", "#Times"], byTimes(refused).map((one) => row(one.outcome, make("code", {}, one.code), number(one.times))), ""));
}

function showNow({ open, bounds, reached }) {
  const uses = bounds.map(({ key, used, most }) => make("div", { class: "use" },
    make("span", {}, make("code", {}, key), make("span", {}, `${count(used)} of ${count(most)}`)),
    make("meter", { min: 0, max: most, low: most * 0.7, high: most * 0.9, optimum: 0, value: used, "aria-label": key })));
  show($("now"),
    figures(["URLs to scan", open.handshakes], ["users asked", open.challenges], ...(open.sessions === null ? [] : [["sessions", open.sessions]])),
    uses,
    reached.length > 0 && make("h3", {}, "Reached since the start"),
    reached.length > 0 && make("p", {}, reached.map(({ limit, times }) => [make("code", {}, limit), ` ${count(times)} times. `])));
}

function showRelays(relays) {
  for (const relay of relays) {
    const points = latencies.get(relay.relay) ?? [];
    points.push(relay.state === "ready" ? relay.latency_ms : null);
    latencies.set(relay.relay, points.slice(-POINTS));
  }
  for (const known of latencies.keys()) if (!relays.some((relay) => relay.relay === known)) latencies.delete(known);
  const kinds = { ready: "good", paused: "bad", removed: "" };
  const rows = relays.map((relay) => row(
    make("td", { class: "relay" }, make("span", { class: "mono" }, stranger(relay.relay)), relay.origin !== "configured" && make("span", { class: "soft" }, ` ${relay.origin}`),
      (relay.last_error ?? relay.last_notice) && make("div", { class: relay.last_error ? "bad-text" : "soft" }, stranger(relay.last_error ?? relay.last_notice))),
    pill(relay.state, kinds[relay.state] ?? "warn"),
    make("td", { class: "n" }, relay.latency_ms === null ? "" : `${Math.round(relay.latency_ms)} ms`),
    make("td", {}, spark(relay.relay, latencies.get(relay.relay))),
    number(relay.accepted), number(relay.refused), number(relay.received), number(relay.forged)));
  show($("relays"), table("Relays", ["Relay", "State", "#Latency", "Last 10 minutes", "#Accepted", "#Refused", "#Received", "#Forged"], rows, "There is no relay: nobody can log in."));
}

function showWebhooks({ enabled, waiting, failed, oldest, last_error }) {
  if (!enabled) return show($("webhooks"), make("p", { class: "soft" }, "No webhook is configured."));
  if (waiting === undefined) return show($("webhooks"), make("p", { class: "bad-text" }, "The store cannot be read."));
  show($("webhooks"),
    figures(["waiting", waiting], ["failed", failed]),
    failed > 0 && make("p", {}, pill("Portico gave up", "bad"), " ", make("code", {}, "portico webhooks list")),
    pairs(oldest && ["oldest", when(oldest)], last_error && ["last error", stranger(last_error)]));
}

function showKeys(all) {
  const { keys, store } = all;
  show($("keys"), pairs(
    ["key of access tokens", make("span", {}, make("code", {}, keys.signing ?? "none"), ` ${keys.algorithm ?? ""}`)],
    ["signs since", when(keys.since)],
    ["next rotation", keys.due ? when(keys.due) : "only on request"],
    ["retired keys", count(keys.retired)],
    ["store", bytes(store.size_bytes)],
    ["failed transactions", store.failures > 0 ? make("span", { class: "bad-text" }, count(store.failures)) : "0"],
    ["memory", bytes(all.memory_bytes)],
    ["started", when(all.started_at)],
    ["version", make("span", {}, all.version, " ", make("code", {}, all.git_commit.slice(0, 12)))]));
}

async function showAudit() {
  const filter = new URLSearchParams();
  if ($("audit-kind").value) filter.set("kind", $("audit-kind").value);
  if ($("audit-user").value.trim()) filter.set("user", $("audit-user").value.trim());
  let told;
  try {
    told = await ask("GET", `/ui/audit?${filter}`);
  } catch (error) {
    if (error.status === 401) throw error;
    const text = error.code === "sessions_off" ? "Sessions are off, so there is no audit." : error.message;
    return show($("audit"), make("p", { class: error.code === "sessions_off" ? "soft" : "bad-text", role: "status" }, text));
  }
  const choice = $("audit-kind");
  if (choice.length === 1) choice.append(...told.kinds.map((kind) => make("option", { value: kind }, kind)));
  const rows = told.records.map((record) => row(
    when(record.at), make("code", {}, record.kind), stranger(record.actor),
    record.user ? make("a", { href: `#user=${record.user}`, class: "mono" }, record.user) : stranger(record.wallet),
    make("td", {}, record.reason && make("code", {}, record.reason), record.reason && record.detail && " ", stranger(record.detail))));
  show($("audit"), table("Audit", ["When", "What", "By", "About", "Why"], rows, "There is no such record."));
}

async function poll() {
  clearTimeout(timer);
  if (document.hidden || !session || view() !== "overview") return;
  try {
    const { overview: all, seconds_left } = await ask("GET", "/ui/data");
    session.seconds_left = seconds_left;
    showWho();
    showHealth(all);
    showLogins(all.logins);
    showNow(all);
    showRelays(all.relays);
    showWebhooks(all.webhooks);
    showKeys(all);
    await showAudit();
    trouble("");
  } catch (error) {
    if (failed(error)) return;
  }
  clearTimeout(timer);
  timer = setTimeout(poll, POLL);
}

// Users.

async function find(text) {
  const { users, more } = await ask("GET", `/ui/users?${new URLSearchParams({ q: text })}`);
  const rows = users.map((user) => row(
    make("td", {}, make("a", { href: `#user=${user.id}` }, stranger(user.name || user.id))),
    make("span", { class: "mono" }, user.provider, ":", stranger(user.wallet)),
    stranger(user.roles.join(", ")), user.disabled ? pill("disabled", "bad") : pill("enabled", "good"), when(user.last_login)));
  show($("found"), make("div", { class: "card" },
    table("Found users", ["User", "Wallet", "Roles", "State", "Last login"], rows, "There is no such user."),
    more && make("p", { class: "soft" }, "These are the first 100.")));
  say(users.length === 1 ? "One user found" : `${users.length} users found`);
}

function showUser({ user, sessions, more }) {
  const change = (title, text, yes, path, body, done) => confirmed(title, text, yes, async () => {
    showUser(await ask("POST", `/ui/users/${user.id}/${path}`, { body }));
    say(done);
  });
  const open = sessions.filter((one) => one.open);
  const name = user.name || user.wallet;
  const rows = sessions.map((one) => row(
    make("code", {}, one.session), when(one.created_at), when(one.expires_at),
    one.open ? pill("open", "good") : make("td", {}, pill("ended"), " ", make("code", {}, one.reason ?? "expired")),
    one.open && session.writes ? make("button", { type: "button", class: "danger", "aria-label": `End session ${one.session}`,
      onclick: () => change("End this session?", `${name}: the next check is refused.`, "End it", "end-sessions", { session: one.session }, "The session has ended") }, "End") : ""));
  const buttons = session.writes && make("p", { class: "row" },
    make("button", { type: "button", disabled: !open.length, onclick: () => change("End all sessions?", `${name}: ${open.length} open sessions end at once.`, "End all", "end-sessions", {}, "All sessions have ended") }, "End all sessions"),
    make("button", { type: "button", class: "danger", onclick: () => change(user.disabled ? "Enable this user?" : "Disable this user?",
      user.disabled ? `${name} can log in again.` : `${name}: all sessions end, and the user cannot log in.`, user.disabled ? "Enable" : "Disable", "disable",
      { disabled: !user.disabled, revision: user.revision }, user.disabled ? "The user is enabled" : "The user is disabled") }, user.disabled ? "Enable" : "Disable"));
  // Its buttons belong to this state of the user: nothing of an older one may stay.
  $("user").replaceChildren(make("section", { class: "card", "aria-labelledby": "user-name" },
    make("h2", { id: "user-name", tabindex: "-1" }, stranger(name), " ", user.disabled && pill("disabled", "bad")),
    pairs(["id", make("code", {}, user.id)], ["wallet", make("code", {}, user.provider, ":", stranger(user.wallet))], ["proved by", stranger(user.method)],
      user.email && ["email", stranger(user.email)], ["roles", stranger(user.roles.join(", ") || "none")], ["permissions", stranger(user.permissions.join(", ") || "none")],
      ["logins", make("span", {}, `${count(user.logins)}, last `, when(user.last_login))]),
    buttons, !session.writes && make("p", { class: "soft" }, "This page is read-only (ui.writes)."),
    make("h3", {}, "Sessions"),
    table("Sessions", ["Session", "Began", "Expires", "State", "Action"], rows, "There is no session."),
    more && make("p", { class: "soft" }, "These are the latest 100.")));
  $("user-name").focus();
}

function confirmed(title, text, yes, act) {
  const [dialog, go] = [$("ask"), $("ask-yes")];
  $("ask-title").textContent = title;
  $("ask-text").replaceChildren(stranger(text));
  go.textContent = yes;
  go.onclick = () => {
    dialog.close();
    act().catch(failed);
  };
  dialog.showModal();
  $("ask-no").focus();
}

// Signing in and out.

async function signIn(event) {
  event.preventDefault();
  const token = $("token").value;
  $("token").value = "";
  $("sign-in-error").textContent = "";
  try {
    await enter(await ask("POST", "/ui/session", { body: { token } }));
  } catch (error) {
    $("sign-in-error").textContent = error.message || "Portico does not answer.";
    $("token").focus();
  }
}

async function enter({ key: given }) {
  remember(given);
  stopWallet();
  await begin();
}

async function signOut() {
  clearTimeout(timer);
  try {
    await ask("DELETE", "/ui/session");
  } catch (error) {
    return failed(error);
  }
  remember(null);
  latencies.clear();
  ["logins", "now", "relays", "webhooks", "keys", "audit", "found", "user"].forEach((id) => $(id).replaceChildren());
  await begin();
}

async function openWallet() {
  $("sign-in-error").textContent = "";
  const state = $("wallet-state");
  try {
    const { url, code, key: mine } = await ask("POST", "/ui/login");
    const size = code && code.size + 8;
    $("wallet-code").replaceChildren(code ? draw("svg", { viewBox: `-4 -4 ${size} ${size}`, role: "img", "aria-label": "QR code of the login; the link below is the same" },
      draw("rect", { x: -4, y: -4, width: size, height: size, fill: "#fff" }), draw("path", { d: code.path, fill: "#000" })) : "");
    if (url.startsWith("portal://")) $("wallet-link").setAttribute("href", url);
    $("wallet-begin").hidden = true;
    $("wallet-open").hidden = false;
    state.textContent = "Scan the code with your wallet.";
    const follow = async () => {
      try {
        const told = await ask("GET", "/ui/login", { as: mine });
        if (told.state === "signed_in") return enter(told);
        const words = {
          waiting: "Scan the code with your wallet.", scanned: "Approve the login in your wallet.", declined: "The wallet declined.",
          gone: "This login is over.", no_role: "This user does not have the role of an operator.", failed: `The login failed: ${told.code}.`,
        };
        if (state.textContent !== words[told.state]) state.textContent = words[told.state];
        if (!["waiting", "scanned"].includes(told.state)) return stopWallet(true);
      } catch (error) {
        if (error.status) return stopWallet(true);
      }
      walletTimer = setTimeout(follow, ASK);
    };
    $("wallet-cancel").onclick = async () => {
      stopWallet();
      await ask("DELETE", "/ui/login", { as: mine }).catch(() => {});
    };
    walletTimer = setTimeout(follow, ASK);
  } catch (error) {
    $("sign-in-error").textContent = error.message;
  }
}

function stopWallet(keepsState = false) {
  clearTimeout(walletTimer);
  $("wallet-code").replaceChildren();
  $("wallet-link").removeAttribute("href");
  $("wallet-open").hidden = true;
  $("wallet-begin").hidden = false;
  if (!keepsState) $("wallet-state").textContent = "";
}

// Views.

const view = () => (location.hash.startsWith("#user") ? "users" : "overview");

function showWho() {
  const minutes = Math.ceil(session.seconds_left / 60);
  $("who").textContent = `${session.name} · ${session.writes ? "may change" : "read-only"} · ${minutes} min left`;
}

async function route(isFirst = false) {
  const signedIn = Boolean(session);
  for (const id of ["nav", "who", "out"]) $(id).hidden = !signedIn;
  $("sign-in").hidden = signedIn;
  for (const id of ["overview", "users"]) $(id).hidden = !signedIn || view() !== id;
  for (const link of $("nav").children) {
    if (link.hash === `#${view()}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (!signedIn) {
    $("health").hidden = true;
    return isFirst ? $("token").focus() : $("sign-in-title").focus();
  }
  showWho();
  if (!isFirst) $(`${view()}-title`).focus();
  if (view() === "overview") return poll();
  clearTimeout(timer);
  const id = location.hash.match(/^#user=([0-9a-f-]{36})$/)?.[1];
  try {
    if (id) showUser(await ask("GET", `/ui/users/${id}`));
  } catch (error) {
    failed(error);
  }
}

async function begin() {
  try {
    const told = await ask("GET", "/ui/session");
    session = told.signed_in ? told : null;
    if (!session && key) remember(null);
    $("wallet").hidden = !told.with_wallet;
    trouble("");
  } catch (error) {
    session = null;
    trouble(`${error.message} (retrying)`);
    setTimeout(begin, POLL);
  }
  await route(true);
}

// Returns whether nobody is signed in any more.
function failed(error) {
  if (error.status === 401) {
    session = null;
    remember(null);
    route();
    $("sign-in-error").textContent = "You are signed out: the session ended, or its token was revoked.";
    return true;
  }
  trouble(error.status ? error.message : "Portico does not answer. What you see is older. Retrying …");
  return false;
}

function trouble(text) {
  $("trouble").textContent = text;
  $("trouble").hidden = !text;
}

let saying = 0;
function say(text) {
  clearTimeout(saying);
  $("said").textContent = text;
  saying = setTimeout(() => ($("said").textContent = ""), 4000);
}

$("token-form").addEventListener("submit", signIn);
$("out").addEventListener("click", signOut);
$("wallet-begin").addEventListener("click", openWallet);
$("audit-form").addEventListener("submit", (event) => {
  event.preventDefault();
  showAudit().catch(failed);
});
$("find").addEventListener("submit", (event) => {
  event.preventDefault();
  $("user").replaceChildren();
  find($("q").value).catch(failed);
});
$("ask-no").addEventListener("click", () => $("ask").close());
addEventListener("hashchange", () => location.hash !== "#main" && route());
document.addEventListener("visibilitychange", () => !document.hidden && session && poll());
begin();
