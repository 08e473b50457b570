// How long it takes from a durable record until a browser has drawn it, while a thousand rehearsals are at work.
// `benches/README.md` says how to run it; the program is named in CALLSHEET, else it is the debug build.
import { Project, run } from "../tests/page/browser.mjs";

const RUNS = 1000, PACE = "300ms", WATCHED_MS = 30_000;

const agent = (outcome) =>
  `schema_version = 1\nkind = "model"\ndoes = "It speaks."\noutcomes = ["${outcome}"]\ninstructions = "Speak."\nlimits = { turns = 1000 }\n`;

const files = {
  "callsheet.toml": "schema_version = 1\ntimezone = \"UTC\"\n",
  "agents/ping.toml": agent("said"),
  "agents/pong.toml": agent("again"),
  "topologies/fro.toml": `schema_version = 1
description = "To and fro."
budget = { steps = 10000, tokens = 900000000, cost_usd = 900.00, active_time = "60m" }
[team]
ping = {}
pong = {}
[handoffs]
start = "ping"
ping = "pong"
pong = { again = { to = "ping", rounds = 200, then = "end" } }
`,
  "rehearsals/fro.toml": "schema_version = 1\n[[ping]]\nnote = \"Ping.\"\n[[pong]]\nnote = \"Pong.\"\n",
};

/** In the page: notes when which record was the last one drawn, once it is on the screen. */
function notes() {
  window.drawn = [];
  const seen = () => Number(document.querySelector("form[data-replay] input")?.max ?? 0);
  let last = 0;
  new MutationObserver(() => {
    const now = seen();
    if (now <= last) return;
    last = now;
    requestAnimationFrame(() => setTimeout(() => window.drawn.push([now, Date.now()])));
  }).observe(document, { childList: true, subtree: true, attributes: true });
}

await run("drawn", async (browser, keeps) => {
  const project = keeps(Project.of(files));
  await project.serve("--pace", PACE);
  const page = await browser.window(1440);
  await page.goto(project.link);
  await page.waitForURL((url) => url.pathname === "/");
  let no = 0;
  for (let begun = 0; begun < RUNS; begun += 1) no = (await project.asks("/api/runs", { topology: "fro", rehearse: true })).run;
  await page.addInitScript(notes);
  await page.goto(`${project.base}/runs/${no}`);
  await page.waitForTimeout(WATCHED_MS);
  const drawn = await page.evaluate(() => window.drawn);
  const [first] = drawn.shift();
  const { length } = drawn, [last] = drawn[length - 1];
  const late = [];
  for (let after = first; after < last;) {
    const records = await project.asks(`/api/runs/${no}/records?after=${after}`);
    for (const { seq, fact } of records.records ?? records) {
      after = seq;
      if (seq <= last) late.push(drawn.find(([upto]) => upto >= seq)[1] - fact.at);
    }
  }
  late.sort((one, other) => one - other);
  const share = (part) => late[Math.floor((late.length - 1) * part)];
  return `${late.length} records in ${length} drawings, ${RUNS} rehearsals at work: ` +
    `median ${share(0.5)} ms, p99 ${share(0.99)} ms, most ${share(1)} ms`;
});
