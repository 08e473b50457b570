// From the link to the mail, as people go: on a desktop and on a phone, in light and dark, through a server that is killed; and
// what somebody else sees meanwhile. Every page is looked at by axe, and its picture is in target/page/shots.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Project, expect, run } from "./browser.mjs";

const SUBJECT = "Fifteen percent off, for old friends";

/** The pages, by the names of their pictures; `run` is over, `open` waits for a decision. */
const pages = (done, open, approval) => ({
  home: "/", campaigns: "/campaigns", campaign: "/campaigns/re-engagement", runs: "/runs", approvals: "/approvals", audit: "/audit", agents: "/agents", connections: "/connections", more: "/more", triggers: "/triggers",
  graph: `/runs/${open}`, then: `/runs/${open}?at=30`, story: `/runs/${done}/story`, sequence: `/runs/${done}/sequence`, messages: `/runs/${done}/messages`,
  record: `/runs/${done}/messages?record=12`, drafts: `/runs/${done}/drafts`, budget: `/runs/${done}/budget`, supervision: `/runs/${done}/supervision`,
  branches: "/campaigns/best-of-three", faults: "/campaigns/launch", approval: `/approvals/${approval}`, decided: "/approvals/1", edit: `/approvals/${approval}/edit`, missing: "/runs/99",
});

/** Enters by a link, as somebody who opens it. */
async function enters(page, link) {
  await page.goto(link);
  await page.waitForURL((url) => url.pathname === "/");
}

/** Starts the campaign by its form, and stays until it asks. */
async function starts(page) {
  await page.click("nav:visible >> text=Campaigns");
  await page.click("main a[href='/campaigns/re-engagement']");
  await page.click("main form button:has-text('Start')");
  await page.waitForURL(/\/runs\/\d+$/);
  // Nobody loads the page again: it hears of the messages by itself.
  await page.waitForSelector("main a.primary:has-text('Review approval')");
  expect(await page.locator("ol.rows a.row").count() > 10, "no messages are shown");
  return Number(page.url().split("/").pop());
}

/** Waits until the page says so by itself. */
const says = (page, text) => page.waitForSelector(`main :text("${text}")`);

async function desktop(browser, project) {
  const page = await browser.window(1440);
  await page.goto(project.link.split("#")[0]);
  await browser.looks(page, "door");
  await enters(page, project.link);
  expect(!page.url().includes(project.token), "the token stands in the address");
  await browser.looks(page, "empty");
  const first = await starts(page);
  await page.click("main a.primary:has-text('Review approval')");
  await page.waitForURL(/\/approvals\/\d+$/);
  // Somebody else looks at the same approval.
  const other = await browser.window(1440, "dark");
  await enters(other, project.types(["serve", "--listen", `127.0.0.1:${project.port}`, "--link", "ben"]).trim());
  await other.goto(page.url());
  await says(other, "Your decision");
  await edits(page, browser);
  // What ben looks at is not open any more, and says by itself what came of it.
  await other.waitForSelector("main :text-matches('edited|replaced by')");
  const second = page.url();
  await other.goto(second);
  await killed(page, project);
  await talks(page, browser, "desk");
  await page.click("summary:has-text('Approve')");
  await page.click("#approve button:has-text('Approve')");
  await page.waitForURL(/\/runs\/\d+$/);
  await says(page, "done");
  // The other hears who decided, without doing anything.
  await says(other, "ana");
  expect(await other.locator("form[action$='/decide']").count() === 0, "what is decided can still be decided");
  expect((await other.textContent("main")).match(/approved|by ana/), "ben is not told who decided");
  await other.context().close();
  const mails = readFileSync(join(project.folder, `out/${first}-re-engagement/01-we-noticed.eml`), "utf8");
  expect(mails.includes(SUBJECT), `the mail has another subject: ${mails.match(/^Subject.*$/m)}`);
  await page.click("nav:visible >> text=Audit");
  await says(page, "The journal is what was written");
  await page.context().close();
  return first;
}

/** Remarks something on a part of what waits; `blocks` stops whoever would approve it. */
async function remarks(page, part, words, blocks) {
  await page.click("#comments ~ .panel summary:has-text('Comment on sequence')");
  const form = page.locator(".remark[open] form").first();
  await form.locator("select").selectOption(part);
  await form.locator("textarea").fill(words);
  if (blocks) await form.locator("input[type=checkbox]").check();
  await form.locator("button").click();
  await page.waitForURL(/#comments$/);
  await says(page, words);
}

/** What somebody blocks can be approved by nobody, with a word why, until it is resolved. */
async function talks(page, browser, name) {
  await remarks(page, "/mails/0/subject", `Too loud, @ben. ${name}`, true);
  await says(page, "blocks approval");
  expect(await page.locator("#approve button").count() === 0, "a button approves what is blocked");
  const [binds, key] = await page.evaluate(() => ["binds", "key"].map((name) => document.querySelector(`.decide [name=${name}]`)?.getAttribute("value")));
  const told = await page.evaluate(async ([binds, key]) => {
    const answer = await fetch(`${location.pathname}/decide`, { method: "POST", body: new URLSearchParams({ binds, key, decision: "approve", comment: "" }) });
    return `${answer.status} ${await answer.text()}`;
  }, [binds, key]);
  expect(/^409 /.test(told) && told.includes("an open comment blocks this approval"), `approved although it is blocked: ${told}`);
  await browser.looks(page, `blocked-${page.viewportSize().width}-light`);
  await page.click(".thread summary:has-text('Reply or resolve')");
  await page.fill(".thread details[open] textarea", "It is the brand's tone.");
  await page.click(".thread details[open] button:has-text('Resolve')");
  await says(page, "resolved by ana");
  await page.waitForSelector("#approve summary, #approve button");
}

/** Writes another subject, looks at what changes, and puts it in the draft's place. */
async function edits(page, browser) {
  const before = page.url();
  await page.click("main a:has-text('Edit')");
  await page.fill("[name='at/mails/0/subject']", SUBJECT);
  // A mail can be left out and copied; what is on the form then is not lost, and the checks say what is wrong with it.
  const mails = await page.locator("[name$='/subject']").count();
  await page.click(".nested:has(> .nested) > button:has-text('One more')");
  await page.waitForFunction((count) => document.querySelectorAll("[name$='/subject']").length === count, mails + 1);
  expect(await page.inputValue("[name='at/mails/0/subject']") === SUBJECT, "one more mail, and the subject is lost");
  await page.check(`[name='leave out /mails/${mails}']`);
  await page.click("button:has-text('Check and compare')");
  await page.waitForFunction((count) => document.querySelectorAll("[name$='/subject']").length === count, mails);
  await page.waitForSelector("ins");
  const shown = await page.locator("aside").textContent();
  expect(shown.includes("percent") && await page.locator("aside del").count() > 0, `no difference: ${shown}`);
  await browser.looks(page, "compared");
  await page.click("button:has-text('Put it')");
  await page.waitForURL((url) => url.href !== `${before}/edit`);
  // The new approval may still be on its way: then this is the run, and says so when it is there.
  const next = page.locator("main a.primary:has-text('Review approval')");
  if (/\/runs\/\d+$/.test(page.url())) await next.click();
  await page.waitForURL((url) => /\/approvals\/\d+$/.test(url.pathname) && url.href !== before);
  await says(page, SUBJECT);
}

/** The server dies and is started again: the page comes back by itself, its session holds, and what it showed is there. */
async function killed(page, project) {
  await project.kill();
  await page.waitForSelector(".live.off", { state: "attached" });
  await project.serve();
  await page.waitForSelector(".live:not(.off)", { state: "attached" });
  await page.reload();
  await says(page, SUBJECT);
}

/** A phone: from the link in a message to the decision, two taps. */
async function phone(browser, project) {
  const page = await browser.window(375);
  await enters(page, project.link);
  const no = await starts(page);
  const href = await page.getAttribute("main a.primary:has-text('Review approval')", "href");
  await page.goto(project.base + href);
  await talks(page, browser, "phone");
  await page.goto(project.base + href);
  let taps = 0;
  const tap = async (what) => {
    const target = page.locator(what).first();
    const box = await target.boundingBox();
    expect(box && box.height >= 32, `too small to tap: ${what}`);
    await target.tap();
    taps += 1;
  };
  await tap(".thumb-bar a.primary");
  const button = page.locator("#approve button:has-text('Approve')");
  await button.waitFor({ state: "visible" });
  await page.waitForFunction(() => {
    const box = [...document.querySelectorAll("#approve button")].pop()?.getBoundingClientRect();
    return box && box.top >= 0 && box.bottom <= innerHeight;
  });
  await browser.looks(page, "confirm-375-light");
  await tap("#approve button:has-text('Approve')");
  await page.waitForURL(/\/runs\/\d+$/);
  await says(page, "done");
  expect(taps <= 2, `${taps} taps`);
  expect(existsSync(join(project.folder, `out/${no}-re-engagement/audience.csv`)), "nothing was written");
  await page.context().close();
}

/** What is claimed in a run opens the call that it comes from, which has the very words; on this width. */
async function claimed(browser, project, width) {
  const { run: no } = await project.asks("/api/runs", { topology: "competitive-brief" });
  const page = await browser.window(width);
  await enters(page, project.link);
  let waiting = [];
  while (waiting.length === 0) waiting = (await project.asks("/api/approvals")).filter((one) => one.run === no);
  let opened = 0;
  for (const view of ["story", "drafts"]) {
    const address = `${project.base}/runs/${no}/${view}`;
    await page.goto(address);
    const count = await page.locator("a.source:visible").count();
    expect(count >= 3, `${view}: ${count} claims lead to their call`);
    for (let nth = 0; nth < count; nth += 1) {
      const link = page.locator("a.source:visible").nth(nth);
      const words = (await link.textContent()).trim().replace(/^\u201c|\u201d$/g, "");
      await link.click();
      await page.waitForURL(/messages\?record=\d+$/);
      const record = await page.locator("#record").textContent();
      expect(record.includes(words), `${view}: the record does not have ${words}`);
      opened += 1;
      await page.goto(address);
    }
    await browser.looks(page, `claimed-${view}-${width}-light`);
  }
  await page.context().close();
  return opened;
}

/** Every page, desktop and phone, light and dark. */
async function every(browser, project, done) {
  const { run: open } = await project.asks("/api/runs", { topology: "re-engagement" });
  let waiting = [];
  while (waiting.length === 0) waiting = (await project.asks("/api/approvals")).filter((one) => one.run === open);
  let counted = 0;
  for (const width of [1440, 375]) {
    const page = await browser.window(width);
    await enters(page, project.link);
    for (const [name, path] of Object.entries(pages(done, open, waiting[0].approval))) {
      await page.goto(project.base + path);
      for (const colorScheme of ["light", "dark"]) {
        await page.emulateMedia({ colorScheme });
        await browser.looks(page, `${name}-${width}-${colorScheme}`);
        counted += 1;
      }
      await page.emulateMedia({ colorScheme: "light" });
    }
    await page.context().close();
  }
  return counted;
}

await run("walk", async (browser, keeps) => {
  const project = keeps(Project.shipped());
  // A time that is far, and a request that nobody makes.
  const triage = "topologies/triage.toml";
  project.write(triage, `${readFileSync(join(project.folder, triage), "utf8")}\n[triggers.yearly]\ncron = "0 9 29 2 *"\n\n[triggers.asked]\nwebhook = true\nkey_env = "TRIAGE_KEY"\n`);
  await project.serve();
  const done = await desktop(browser, project);
  await phone(browser, project);
  const counted = await every(browser, project, done);
  const opened = await claimed(browser, project, 1440) + await claimed(browser, project, 375);
  return `from link to mail on two screens, with a talk that blocks it, ${counted} pages without a serious fault, and ${opened} claims that open their call`;
});
