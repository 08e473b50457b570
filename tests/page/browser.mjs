// What the walk and the hostile texts share: a project in a folder of its own, the real server, Debian's Chromium, and what no
// page may do: fail in its console, break its policy, ask another host, scroll sideways, be hard to read or to use.
import { spawn, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const require = createRequire(join(root, "target/page/package.json"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const program = process.env.CALLSHEET ?? join(root, "target/debug/callsheet");
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];
const PEOPLE = "\n[people.ana]\ngroups = [\"lifecycle\"]\n\n[people.ben]\ngroups = [\"lifecycle\"]\n";
const shots = join(root, "target/page/shots");

/** Fails with `what` unless `holds`. */
export function expect(holds, what) {
  if (!holds) throw new Error(what);
}

/** A project in a new folder, with its server. */
export class Project {
  constructor() {
    this.folder = mkdtempSync(join(tmpdir(), "callsheet-page-"));
    this.port = 0;
  }

  /** The shipped project, with two people. */
  static shipped() {
    const project = new Project();
    for (const name of ["agents", "topologies", "schemas", "rehearsals", "data"]) {
      cpSync(join(root, name), join(project.folder, name), { recursive: true });
    }
    project.write("callsheet.toml", readFileSync(join(root, "callsheet.toml"), "utf8") + PEOPLE);
    return project;
  }

  /** Files by path, with two people. */
  static of(files) {
    const project = new Project();
    for (const [path, text] of Object.entries(files)) project.write(path, text);
    project.write("callsheet.toml", files["callsheet.toml"] + PEOPLE);
    return project;
  }

  write(path, text) {
    mkdirSync(dirname(join(this.folder, path)), { recursive: true });
    writeFileSync(join(this.folder, path), text);
  }

  #command() {
    const environment = { ...process.env, CALLSHEET_PERSON: "ana" };
    delete environment.CALLSHEET_JOURNAL;
    return { cwd: this.folder, env: environment };
  }

  /** What a command prints, if it ends with `code`. */
  types(line, code = 0) {
    const done = spawnSync(program, line, { ...this.#command(), encoding: "utf8", input: "" });
    expect(done.status === code, `callsheet ${line.join(" ")} ended with ${done.status}: ${done.stdout}${done.stderr}`);
    return done.stdout;
  }

  /** Starts the server, where it was if it was there. */
  async serve(...options) {
    this.server = spawn(program, ["serve", "--listen", `127.0.0.1:${this.port}`, ...options], { ...this.#command(), stdio: ["ignore", "pipe", "ignore"] });
    let said = "";
    for await (const piece of this.server.stdout) {
      said += piece;
      if (said.includes("/enter#") && said.endsWith("\n")) break;
    }
    const link = said.split("\n").find((line) => line.includes("/enter#"));
    expect(link, "the server printed no link");
    this.link = link.trim();
    this.port = new URL(this.link).port;
    this.base = new URL(this.link).origin;
    this.token = this.link.split("#")[1];
  }

  /** As `kill -9` does. */
  async kill() {
    const gone = new Promise((resolve) => this.server.once("exit", resolve));
    this.server.kill("SIGKILL");
    await gone;
  }

  /** As a program of ana's. */
  async asks(path, sent) {
    const headers = { authorization: `Bearer ${this.token}`, "content-type": "application/json" };
    const how = sent ? { method: "POST", headers, body: JSON.stringify(sent) } : { headers };
    const answer = await fetch(this.base + path, how);
    expect(answer.ok, `${path}: ${answer.status} ${answer.ok ? "" : await answer.text()}`);
    return answer.json();
  }

  async end() {
    if (this.server?.exitCode === null) await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Chromium with a new profile; what its pages do that they may not is in `faults`. */
export class Browser {
  faults = [];

  static async open() {
    const browser = new Browser();
    browser.chromium = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS });
    return browser;
  }

  /** A window of somebody's own: `width` wide, `light` or `dark`. */
  async window(width, colorScheme = "light") {
    const phone = width < 760 ? { hasTouch: true, isMobile: true, deviceScaleFactor: 2 } : {};
    const context = await this.chromium.newContext({ viewport: { width, height: width < 760 ? 740 : 900 }, colorScheme, reducedMotion: "no-preference", ...phone });
    const told = (what) => this.faults.push(what);
    await context.exposeFunction("toldByPage", told);
    await context.addInitScript(() => {
      addEventListener("securitypolicyviolation", (event) => window.toldByPage(`${location.pathname}: policy ${event.effectiveDirective} ${event.blockedURI}`));
    });
    const page = await context.newPage();
    page.on("console", (message) => {
      // A server that is killed on purpose is told of there, too.
      if (message.type() === "error" && !/net::ERR_|Failed to load resource/.test(message.text())) told(`${page.url()}: console: ${message.text()}`);
    });
    page.on("pageerror", (error) => told(`${page.url()}: ${error}`));
    page.on("dialog", (dialog) => { told(`${page.url()}: a dialog: ${dialog.message()}`); dialog.dismiss(); });
    page.on("request", (request) => {
      if (!request.url().startsWith("http://127.0.0.1:")) told(`${page.url()}: asks ${request.url()}`);
    });
    page.setDefaultTimeout(60_000);
    return page;
  }

  /** All that is to hold of a page as it stands, whatever it is of; and its picture. */
  async looks(page, name) {
    const { width } = page.viewportSize();
    const sideways = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    if (sideways > 0) this.faults.push(`${name} at ${width}: scrolls ${sideways} px sideways`);
    await page.evaluate(axe);
    const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
    for (const fault of found.violations.filter((fault) => ["serious", "critical"].includes(fault.impact))) {
      const places = fault.nodes.slice(0, 3).map((node) => `${node.target} ${node.failureSummary.replaceAll("\n", " ")}`);
      this.faults.push(`${name} at ${width}: ${fault.id}: ${places.join("; ")}`);
    }
    mkdirSync(shots, { recursive: true });
    await page.screenshot({ path: join(shots, `${name}.png`), fullPage: true });
  }

  async end() {
    await this.chromium.close();
  }
}

/** Runs `walk` with a browser, and ends with what it and its pages did wrong. */
export async function run(name, walk) {
  const began = Date.now();
  const browser = await Browser.open();
  const projects = [];
  try {
    const counted = await walk(browser, (project) => { projects.push(project); return project; });
    expect(browser.faults.length === 0, `${browser.faults.length} faults:\n${browser.faults.join("\n")}`);
    console.log(`${name}: ${counted}, in ${Math.round((Date.now() - began) / 1000)} s`);
  } catch (error) {
    console.error(`${name} FAILED: ${error.stack}\n${browser.faults.join("\n")}`);
    process.exitCode = 1;
  } finally {
    await browser.end();
    for (const project of projects) await project.end();
  }
}
