// Runs the script of the page on standard input, before the answers in the first argument (status, fields, body; null: no
// answer). Prints what it asked, what it showed, and how many milliseconds it waited.
import fs from "node:fs";

const page = fs.readFileSync(0, "utf8");
const script = page.split('<script type="module">')[1].split("</script>")[0];
const answers = JSON.parse(process.argv[2]);
const seen = [];

function elementOf(id) {
  if (!page.includes(`id="${id}"`)) throw new Error(`the page has no ${id}`);
  const set = (_, property, value) => seen.push([`${id}.${property}`, value]);
  return new Proxy({}, { set, get: (_, property) => seen.findLast(([name]) => name === `${id}.${property}`)?.[1] });
}

async function fetch(path, { method }) {
  seen.push(["asked", `${method} ${path}`]);
  const answer = answers.shift();
  if (!answer) throw new TypeError("Failed to fetch");
  const [status, headers, body] = answer;
  return new Response(JSON.stringify(body), { status, headers });
}

function setTimeout(then, milliseconds) {
  seen.push(["waited", milliseconds]);
  setImmediate(then);
}

const run = new (async () => {}).constructor("document", "fetch", "setTimeout", script);
await run({ getElementById: elementOf }, fetch, setTimeout);
console.log(JSON.stringify(seen));
