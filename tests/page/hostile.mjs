// What models, tools and people say is text, whatever it looks like: each vector of vectors.json, through every field that one of
// them can fill, on every view, in a real browser. None runs, none becomes an element, and each can be read.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Project, expect, root, run } from "./browser.mjs";

const all = JSON.parse(readFileSync(join(root, "tests/page/vectors.json"), "utf8"));

/** Each vector with a number of its own, which it tells if it runs; without one it would tell of others. */
const vectors = all.map((vector, nth) => (vector.includes("RUN") ? vector.replaceAll("RUN", `toldByPage(${nth})`) : `${vector} ${nth}`));
const texts = vectors.map((_, nth) => `{{ brief.p${nth} }}`);

/** What a tool agrees to publish: it refuses characters that do not show. */
const publishable = texts.filter((_, nth) => /^[\x20-\x7e]*$/.test(vectors[nth]));

/** A team whose members say what they are given: in notes, in artefacts, as names of files that are not there. */
const files = {
  "callsheet.toml": "schema_version = 1\ntimezone = \"UTC\"\n\n[tools.texts]\nkind = \"files\"\nroot = \"texts\"\n",
  "texts/one.md": "# One\n\nOne text.\n",
  "topologies/hostile.toml": `schema_version = 1
description = "Says what it is told."
artefacts = { letter = { schema = "letter" } }
budget = { steps = 2000, tokens = 9_000_000, cost_usd = 90.00, active_time = "60m" }
[team]
writer    = { writes = ["letter"] }
approver  = { approves = ["letter"] }
publisher = { tool = "texts.publish", args = { versions = "letter.versions" } }
[handoffs]
start     = "writer"
writer    = "approver"
approver  = { approve = "publisher", request_changes = { to = "writer", rounds = 3, then = "end" }, reject = "end", expired = "end" }
publisher = "end"
[params]
${vectors.map((_, nth) => `p${nth} = { type = "string", default = "none" }`).join("\n")}
`,
  "agents/writer.toml": `schema_version = 1
kind = "model"
does = "Says it."
outcomes = ["drafted"]
tools = ["texts.read"]
instructions = "Say it."
limits = { steps_per_turn = 400 }
`,
  "agents/approver.toml": `schema_version = 1
kind = "person"
does = "Decides."
starter_may_approve = true
expires = { after = "7d", then = "reject" }
`,
  "schemas/letter.json": JSON.stringify({
    type: "object", required: ["versions", "lines"], additionalProperties: false,
    properties: {
      versions: { type: "array", items: { type: "object", required: ["channel", "text"], properties: { channel: { type: "string" }, title: { type: "string" }, text: { type: "string" } } } },
      lines: { type: "array", items: { type: "string" } },
    },
  }),
  "rehearsals/hostile.toml": `schema_version = 1

[[writer]]
calls = [${texts.map((text, nth) => `{ tool = "texts.read", args = { path = "${text}" }, as = "c${nth}" }`).join(", ")}]
note = "${texts.join("\\n")}"
[writer.writes.letter]
versions = [{ channel = "post", title = "A title", text = "${publishable.join("\\n")}" }]
lines = [${texts.map((text) => `"${text}"`).join(", ")}]
`,
};

/** What a page of ours is made of; anything else was made by somebody's text. */
const ELEMENTS = "html head meta title link script body a div span header nav main p h1 h2 h3 h4 form input button label select option textarea "
  + "fieldset legend details summary section article aside ul ol li dl dt dd table thead tbody tr th td code pre b i strong small del ins time "
  + "output svg g path rect circle text tspan line polyline polygon defs marker use br time em figure figcaption blockquote hr h5 h6";
const ATTRIBUTES = "id class href rel type src charset name content lang title value method action tabindex role for min max step rows placeholder required "
  + "hidden open selected checked autocomplete scope width height x y x1 y1 x2 y2 rx ry r cx cy d viewBox fill transform points text-anchor datetime colspan "
  + "preserveAspectRatio marker-end orient refX refY markerWidth markerHeight multiple disabled pattern maxlength minlength accept-charset dominant-baseline start";

/** Runs in the page: what is not ours, and all that can be read. */
function read([elements, attributes]) {
  const strange = [], known = new Set(elements.split(" ")), may = new Set(attributes.split(" "));
  for (const element of document.querySelectorAll("*")) {
    if (!known.has(element.localName)) strange.push(`<${element.localName}>`);
    for (const { name, value } of element.attributes) {
      const isOurs = may.has(name) || name.startsWith("aria-") || name.startsWith("data-");
      const isAddress = ["href", "src", "action"].includes(name);
      if (!isOurs || (isAddress && !/^(\/(?!\/)|#|\?)/.test(value) && value !== "")) strange.push(`<${element.localName} ${name}=${value}>`);
    }
    const isScript = element.localName === "script" && !/^\/assets\/[a-z]+\.js$/.test(element.getAttribute("src") ?? "");
    if (isScript) strange.push("<script>");
  }
  const fields = [...document.querySelectorAll("input, textarea")].map((field) => field.value);
  const titles = [...document.querySelectorAll("[title]")].map((one) => one.title);
  return { strange, text: [document.body.textContent, ...fields, ...titles].join("\n") };
}

/** What can be compared of a text in which hidden characters stand by their numbers. */
const plain = (text) => text.replaceAll(/U\+[0-9A-F]{4,6}/g, "").replaceAll(/[^\x21-\x7e]/g, "");

await run("hostile texts", async (browser, keeps) => {
  const project = keeps(Project.of(files));
  await project.serve();
  const params = Object.fromEntries(vectors.map((vector, nth) => [`p${nth}`, vector]));
  const { run: no } = await project.asks("/api/runs", { topology: "hostile", params });
  let next;
  while (!next) {
    [next] = await project.asks("/api/approvals");
    const { status, dead_letters: dead, paused } = await project.asks(`/api/runs/${no}`);
    expect(["running", "waiting"].includes(status), `the run is ${status}: ${JSON.stringify([dead, paused])}`);
  }
  const page = await browser.window(1440);
  await page.goto(project.link);
  await page.waitForURL((url) => url.pathname === "/");
  let records = await project.asks(`/api/runs/${no}/records`);
  const of = (kind) => records.filter((one) => one.entry?.kind === kind).map((one) => one.entry.seq);
  const record = (seq) => `/runs/${no}/messages?record=${seq}`;
  const views = ["", "/story", "/messages", "/drafts", "/budget", "/supervision", "/sequence"].map((view) => `/runs/${no}${view}`);
  const fields = {
    "parameters": [`/runs/${no}`], "notes": of("message").map(record), "artefacts": [`/runs/${no}/drafts`, `/approvals/${next.approval}`],
    "a form": [`/approvals/${next.approval}/edit`], "arguments and errors of tools": of("call").map(record),
  };
  let shown = 0;
  const visit = async (path) => {
    await page.goto(project.base + path);
    const { strange, text } = await page.evaluate(read, [ELEMENTS, ATTRIBUTES]);
    strange.forEach((what) => browser.faults.push(`${path}: ${what.slice(0, 200)}`));
    return plain(text);
  };
  const seen = async (field, paths) => {
    let read = "";
    for (const path of paths) read += await visit(path);
    for (const vector of vectors) {
      if (read.includes(plain(vector))) shown += 1;
      else browser.faults.push(`${field}: nobody can read ${JSON.stringify(vector)}`);
    }
  };
  const everywhere = async () => {
    for (const path of ["/", "/runs", "/approvals", `/approvals/${next.approval}`, "/audit", "/campaigns/hostile", ...views]) await visit(path);
  };
  await everywhere();
  for (const [field, paths] of Object.entries(fields)) await seen(field, paths);
  // A comment, its answers, and why it was settled.
  for (let from = 0; from < vectors.length; from += 8) {
    const text = vectors.slice(from, from + 8).join("\n");
    if (from === 0) await project.asks(`/api/runs/${no}/comments`, { artefact: "letter", at: "/lines/0", text, blocks: true });
    else await project.asks(`/api/runs/${no}/comments/c1/${from + 8 >= vectors.length ? "resolve" : "reply"}`, { text });
  }
  await seen("remarks on a version", [`/approvals/${next.approval}`, `/runs/${no}/drafts`, `/runs/${no}/story`]);
  await project.asks(`/api/approvals/${next.approval}/decide`, { decision: "reject", binds: next.binds, comment: vectors.join("\n") });
  records = await project.asks(`/api/runs/${no}/records`);
  await seen("comments", [record(records.find((one) => one.entry?.word === "reject").entry.seq)]);
  await everywhere();
  expect(shown >= 500, `only ${shown} texts are shown`);
  return `${shown} texts in ${2 + Object.keys(fields).length} fields, all shown, none ran`;
});
