// Where a failure comes from is on the screen after three clicks at most, however long the run: a message goes to and fro some
// five hundred times, then something breaks. Five kinds of it are tried, each from Home, by clicking on what the page itself offers.
import { Project, expect, run } from "./browser.mjs";

const ROUNDS = 240;

/** What is planted: who has to be clicked from Home on, as the page names it, and what then stands there. */
const kinds = {
  tool: { clicks: [], cause: "nowhere.md" },
  answer: { clicks: ["supervision"], cause: "is not of type" },
  script: { clicks: ["supervision"], cause: "no line" },
  template: { clicks: ["supervision"], cause: "unable to calculate 7 // 0" },
  budget: { clicks: [], cause: "tokens" },
};

const files = {
  "callsheet.toml": "schema_version = 1\ntimezone = \"UTC\"\n\n[tools.texts]\nkind = \"files\"\nroot = \"texts\"\n",
  "texts/one.md": "# One\n\nOne text.\n",
  "schemas/letter.json": JSON.stringify({
    type: "object", required: ["line"], additionalProperties: false, properties: { line: { type: "string" } },
  }),
  "agents/ping.toml": agent("says it again", "said"),
  "agents/pong.toml": agent("answers", "again\", \"read"),
  ...Object.fromEntries(Object.keys(kinds).flatMap((kind) => [
    [`topologies/${kind}.toml`, topology(kind)], [`rehearsals/${kind}.toml`, rehearsal(kind)],
  ])),
};

function agent(does, outcomes) {
  return `schema_version = 1\nkind = "model"\ndoes = "It ${does}."\noutcomes = ["${outcomes}"]\ninstructions = "Say it."\nlimits = { turns = 2000 }\n`;
}

function topology(kind) {
  return `schema_version = 1
description = "Goes to and fro, then breaks: ${kind}."
artefacts = { letter = { schema = "letter" } }
budget = { steps = 5000, tokens = ${kind === "budget" ? "240_000" : "90_000_000"}, cost_usd = 900.00, active_time = "60m" }
[team]
ping   = { writes = ["letter"] }
pong   = { reads = ["letter"], writes = ["letter"] }
reader = { tool = "texts.read", args = { path = "letter.line" } }
[handoffs]
start  = "ping"
ping   = "pong"
pong   = { again = { to = "ping", rounds = 1000, then = "end" }, read = "reader" }
reader = "end"
`;
}

function rehearsal(kind) {
  const breaks = {
    tool: `outcome = "read"\nnote = "Read it."\nwrites = { letter = { line = "nowhere.md" } }`,
    answer: `outcome = "again"\nnote = "Again."\nwrites = { letter = { line = "{{ [1] }}" } }`,
    template: `outcome = "again"\nnote = "{{ 7 // (message.round - message.round) }}"\nwrites = { letter = { line = "x" } }`,
  }[kind];
  const line = `outcome = "again"\nnote = "Again, {{ message.round }}."\nwrites = { letter = { line = "Line {{ message.round }}" } }`;
  const goes = kind === "budget" ? "" : `when = "message.round <= ${ROUNDS}"\n`;
  return `schema_version = 1

[[ping]]
note = "Say it, {{ message.round }}."
writes = { letter = { line = "Line" } }

[[pong]]
${goes}${line}
${breaks ? `\n[[pong]]\nwhen = "message.round > ${ROUNDS}"\n${breaks}\n` : ""}`;
}

await run("failures", async (browser, keeps) => {
  const project = keeps(Project.of(files));
  await project.serve();
  const page = await browser.window(1440);
  await page.goto(project.link);
  await page.waitForURL((url) => url.pathname === "/");
  let messages = 0;
  for (const [kind, { clicks, cause }] of Object.entries(kinds)) {
    const { run: no } = await project.asks("/api/runs", { topology: kind, rehearse: true });
    let at;
    do at = await project.asks(`/api/runs/${no}`); while (at.status === "running");
    messages = Math.max(messages, at.turns.length);
    expect(at.turns.length >= 2 * ROUNDS - 1, `${kind}: only ${at.turns.length} messages, then ${at.status}`);
    await page.goto(project.base);
    let counted = 0;
    const click = async (what) => { await page.locator(what).first().click(); counted += 1; };
    await click(`main a[href^='/runs/${no}']`);
    await page.waitForURL(/\/runs\/\d+/);
    for (const view of clicks) await click(`main a[href='/runs/${no}/${view}']`);
    await page.waitForFunction((cause) => document.querySelector("main").innerText.includes(cause), cause);
    expect(counted <= 3, `${kind}: ${counted} clicks`);
    await browser.looks(page, `failure-${kind}`);
  }
  return `${Object.keys(kinds).length} causes in runs of ${messages} messages, each on the screen after at most three clicks`;
});
