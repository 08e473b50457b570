// What a page does beside what its HTML does by itself: it draws itself anew when there is news, without losing one's place.
// Nothing here writes HTML from text: pages come whole from the server, and are parsed by the browser.
import { fly, scrub } from "./graph.js";

/** The least time from one drawing to the next, in milliseconds: of a page of one run, and of one of all runs. */
const REST_MS = { record: 40, changed: 250 };
const main = () => document.getElementById("main");

/** The token behind the `#` of a link is exchanged for a session by the form that is there anyway. */
function enter() {
  const form = document.querySelector("form.enter");
  const token = location.hash.slice(1);
  if (!(form instanceof HTMLFormElement) || !/^[0-9a-f]{64}$/.test(token)) return;
  history.replaceState(null, "", location.pathname + location.search);
  const field = form.elements.namedItem("token");
  if (field instanceof HTMLInputElement) { field.value = token; form.submit(); }
}

/** Light, dark, or as the system has it. */
function theme() {
  const button = document.getElementById("theme"), root = document.documentElement;
  const set = (/** @type {string | null} */ to) => to ? root.dataset.theme = to : delete root.dataset.theme;
  set(localStorage.getItem("theme"));
  if (!button) return;
  button.hidden = false;
  button.addEventListener("click", () => {
    const isDark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    const to = isDark ? "light" : "dark";
    localStorage.setItem("theme", to);
    set(to);
  });
}

/** Whether a finger or a button of the mouse is down: what is drawn anew in between is not clicked. */
let pressed = false;
addEventListener("pointerdown", () => { pressed = true; }, true);
for (const ends of ["pointerup", "pointercancel", "dragend"]) {
  // The click comes after this event, and is to find what was pressed.
  addEventListener(ends, () => setTimeout(() => { pressed = false; }), true);
}

/** Whether somebody is in the middle of something that a new page would take away. */
function busy() {
  if (pressed) return true;
  const here = document.activeElement, page = main();
  const writes = here && page?.contains(here) && here.matches("input:not([type=range]), textarea, select");
  return Boolean(writes || page?.querySelector("details.confirm[open]") || getSelection()?.toString());
}

/** Gives `now` the children of `next`; what is the same stays, and so does what somebody has under the mouse there. */
function become(/** @type {Element} */ now, /** @type {Element} */ next) {
  const [old, fresh] = [[...now.childNodes], [...next.childNodes]];
  if (old.length !== fresh.length) return now.replaceChildren(...fresh);
  old.forEach((one, nth) => {
    const other = fresh[nth];
    if (!other || one.isEqualNode(other)) return;
    const isFocused = one instanceof HTMLInputElement && other instanceof HTMLInputElement && one === document.activeElement;
    if (isFocused) {
      // A scrubber that is being moved stays under the mouse.
      for (const { name, value } of other.attributes) one.setAttribute(name, value);
      if (!pressed) one.value = other.value;
    } else if (one instanceof Element && other instanceof Element && one.cloneNode().isEqualNode(other.cloneNode())) become(one, other);
    else one.replaceWith(other);
  });
}

/** Puts what `text` says in the place of what is shown; what stood open stays open. */
function replace(/** @type {string} */ text) {
  const page = new DOMParser().parseFromString(text, "text/html");
  const next = page.getElementById("main"), now = main();
  if (!next || !now) return location.reload();
  const opened = [...now.querySelectorAll("details")].map((one) => one.open);
  const scrolled = [...now.querySelectorAll(".graph, .tabs")].map((one) => one.scrollLeft);
  const focused = [...now.querySelectorAll("a, button, input, summary")].indexOf(/** @type {Element} */ (document.activeElement));
  become(now, next);
  const details = [...now.querySelectorAll("details")];
  if (details.length === opened.length) details.forEach((one, nth) => { one.open = opened[nth] ?? one.open; });
  [...now.querySelectorAll(".graph, .tabs")].forEach((one, nth) => { one.scrollLeft = scrolled[nth] ?? 0; });
  const focus = [...now.querySelectorAll("a, button, input, summary")][focused];
  if (focused >= 0 && focus instanceof HTMLElement) focus.focus({ preventScroll: true });
  for (const nav of [".nav", ".tabbar"]) {
    const [old, fresh] = [document.querySelector(nav), page.querySelector(nav)];
    if (old && fresh) old.replaceWith(fresh);
  }
  document.title = page.title;
}

/** Draws the page of `address` anew. */
async function draw(/** @type {string} */ address) {
  const answer = await fetch(address, { headers: { accept: "text/html" } });
  // Whoever is sent to the door, or to another page, goes there.
  if (answer.redirected) return location.assign(answer.url);
  if (answer.ok) replace(await answer.text());
}

/** Draws anew when there is news: at once, then for a third of the time at most, and not while somebody writes. */
function live() {
  const address = document.body.dataset.live, said = document.querySelector(".live");
  if (!address || !said) return;
  const word = said.querySelector(".live-word"), pause = document.getElementById("pause");
  let paused = false, news = 0, waits = false, drawing = false, next = 0, rest = REST_MS.record;
  /** @type {string[]} */
  let records = [];
  const tell = () => {
    said.classList.toggle("off", paused || events.readyState !== EventSource.OPEN);
    const held = news ? `, ${news} new` : "";
    if (word) word.textContent = paused ? `Frozen${held}` : events.readyState === EventSource.OPEN ? (busy() ? `Live${held}` : "Live") : "Connecting again";
    if (pause) pause.textContent = paused ? "Go on" : "Freeze page";
  };
  const soon = () => {
    tell();
    if (paused || waits || drawing || !news) return;
    waits = true;
    setTimeout(async () => {
      waits = false;
      if (paused) return tell();
      if (busy()) { next = performance.now() + rest; return soon(); }
      const [began, shown] = [performance.now(), records];
      [news, records, drawing] = [0, [], true];
      try { await draw(location.href); } catch { news += 1; } finally { drawing = false; }
      fly(shown);
      const ended = performance.now();
      next = ended + Math.max(rest, 2 * (ended - began));
      tell();
      soon();
    }, Math.max(0, next - performance.now()));
  };
  const events = new EventSource(address);
  events.addEventListener("record", (event) => {
    news += 1;
    records.push(event.data);
    soon();
  });
  events.addEventListener("changed", () => { news += 1; rest = REST_MS.changed; soon(); });
  events.addEventListener("open", soon);
  events.addEventListener("error", tell);
  if (pause) {
    pause.hidden = false;
    pause.addEventListener("click", () => { paused = !paused; soon(); });
  }
  // A browser that was away hears at once what it missed.
  document.addEventListener("visibilitychange", () => { if (!document.hidden) soon(); });
}

/** On a narrow screen the views of a run go beyond its edge: the one that is open is brought into sight. */
function tabs() {
  const here = document.querySelector(".tabs [aria-current]");
  if (here instanceof HTMLElement && here.parentElement) {
    here.parentElement.scrollLeft = here.offsetLeft - (here.parentElement.clientWidth - here.offsetWidth) / 2;
  }
}

/** A link to something folded unfolds it. */
function unfold() {
  const open = () => {
    const at = document.getElementById(location.hash.slice(1));
    if (at instanceof HTMLDetailsElement) { at.open = true; at.querySelector("button")?.scrollIntoView({ block: "center" }); }
  };
  addEventListener("hashchange", open);
  open();
}

/** j and k go down and up in lists; g and a letter goes to a place. */
function keys() {
  const places = { h: "/", a: "/approvals", r: "/runs", c: "/campaigns" };
  let goes = false;
  document.addEventListener("keydown", (event) => {
    const at = event.target;
    if (event.ctrlKey || event.metaKey || event.altKey || (at instanceof Element && at.matches("input, textarea, select"))) return;
    if (goes && event.key in places) location.assign(places[/** @type {keyof typeof places} */ (event.key)]);
    goes = event.key === "g";
    if (event.key !== "j" && event.key !== "k") return;
    const rows = [...document.querySelectorAll(".list a, .rows a, .runs-table td:first-child a")];
    const here = rows.indexOf(/** @type {Element} */ (document.activeElement));
    const next = rows[Math.max(0, Math.min(rows.length - 1, here + (event.key === "j" ? 1 : -1)))];
    if (next instanceof HTMLElement) next.focus();
  });
}

theme();
enter();
// The link of somebody who stands before the door changes nothing but what is behind the `#`.
addEventListener("hashchange", enter);
scrub(draw);
live();
keys();
unfold();
tabs();
