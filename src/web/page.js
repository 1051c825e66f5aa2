// Follows the sign-in: asks the server until the state changes, and shows what it answers. The page works without it.
const say = document.getElementById("say");
const net = document.getElementById("net");
let main = document.querySelector("main");
let asking, clock, wake = () => {};

// Screen readers speak a text that changes.
function announce(text) {
  say.textContent = "";
  setTimeout(() => (say.textContent = text), 100);
}

function countDown(left) {
  const end = Date.now() + left.dataset.left * 1000;
  const text = left.dataset.text;
  let before = Infinity;
  const tick = () => {
    const seconds = Math.max(0, Math.ceil((end - Date.now()) / 1000));
    const clockText = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    left.textContent = text.replace("{t}", clockText);
    for (const mark of [60, 10]) {
      if (before > mark && seconds <= mark && seconds > 0 && before !== Infinity) {
        announce(left.dataset.say.replace("{n}", mark));
      }
    }
    before = seconds;
  };
  tick();
  clock = setInterval(tick, 1000);
}

// What only a browser with JavaScript has.
function dress() {
  clearInterval(clock);
  const left = main.querySelector("[data-left]");
  if (left) countDown(left);
  const link = main.querySelector("[data-open]");
  const hint = main.querySelector("[data-hint]");
  link?.addEventListener("click", () => {
    setTimeout(() => document.visibilityState === "visible" && (hint.hidden = false), 1500);
  });
  const copy = main.querySelector("[data-copy]");
  if (copy && navigator.clipboard) {
    copy.hidden = false;
    copy.addEventListener("click", async () => {
      await navigator.clipboard.writeText(link.getAttribute("href"));
      announce(copy.dataset.copy);
      const label = copy.textContent;
      copy.textContent = copy.dataset.copy;
      setTimeout(() => (copy.textContent = label), 2000);
    });
  }
}

function show(html) {
  const next = new DOMParser().parseFromString(html, "text/html").querySelector("main");
  if (!next) return location.reload();
  const isOther = next.dataset.state !== main.dataset.state;
  main.replaceWith(next);
  main = next;
  dress();
  // A code that came by itself takes the focus from nobody.
  if (isOther) main.querySelector("h1").focus();
  else announce(main.dataset.news ?? "");
  if (main.dataset.go) location.replace(main.dataset.go);
}

const pause = (milliseconds) =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    wake = () => (clearTimeout(timer), resolve());
  });

async function follow() {
  let failures = 0;
  while (main.dataset.wait) {
    asking = new AbortController();
    const timer = setTimeout(() => asking.abort(), 40000);
    const begun = Date.now();
    const url = `${main.dataset.wait}?seen=${encodeURIComponent(main.dataset.tag)}`;
    const answer = await fetch(url, { signal: asking.signal, cache: "no-store" })
      .then(async (got) => ({ status: got.status, html: await got.text() }))
      .catch((error) => ({ status: error.name === "AbortError" ? 204 : 0 }));
    clearTimeout(timer);
    const isOver = answer.status >= 400 && answer.status < 500 && ![408, 429].includes(answer.status);
    if (isOver) return location.reload();
    const failed = answer.status === 0 || answer.status >= 400;
    net.hidden = !failed;
    if (answer.status === 200) show(answer.html);
    if (failed) await pause(Math.min(500 * 2 ** Math.min(failures++, 4), 8000));
    else failures = 0;
    // A proxy or a daemon that stops answers at once: do not ask it again at once.
    if (answer.status === 204 && Date.now() - begun < 1000) await pause(1000);
  }
}

// A phone closes the connections of a page that is not looked at, without a word.
function back() {
  if (document.visibilityState !== "visible") return;
  asking?.abort();
  wake();
}
document.addEventListener("visibilitychange", back);
addEventListener("pageshow", (event) => (event.persisted && !main.dataset.wait ? location.reload() : back()));
addEventListener("online", back);
dress();
if (main.dataset.go) location.replace(main.dataset.go);
follow();
