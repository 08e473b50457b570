// The graph: a message moves along its handoff when it is sent, and the scrubber stands the graph at any record.

const FLIGHT_MS = 900;
const SVG = "http://www.w3.org/2000/svg";
const still = matchMedia("(prefers-reduced-motion: reduce)");

/** Lets the messages of these records move along their ways, if they are drawn; how long that takes. */
export function fly(/** @type {string[]} */ records) {
  const flown = records.map(one).filter(Boolean).length;
  return flown && !still.matches ? FLIGHT_MS : 0;
}

/** Whether the record is a message whose way is drawn. */
function one(/** @type {string} */ json) {
  const drawing = document.querySelector("svg.drawing");
  const sent = JSON.parse(json)?.fact?.is?.message_sent;
  if (!(drawing instanceof SVGSVGElement) || !sent) return false;
  const [from, to] = [sent.from ?? "start", sent.to?.member ?? sent.to];
  const way = [...drawing.querySelectorAll("g.way")].find((one) =>
    one instanceof SVGGElement && one.dataset.from === from && one.dataset.outcome === sent.outcome && one.dataset.to === to);
  const line = way?.querySelector("path.line");
  if (!way || !(line instanceof SVGPathElement)) return false;
  way.classList.add("now");
  setTimeout(() => way.classList.remove("now"), FLIGHT_MS);
  if (still.matches) return true;
  const dot = document.createElementNS(SVG, "circle");
  dot.setAttribute("class", "flight");
  dot.setAttribute("r", "6");
  drawing.append(dot);
  const length = line.getTotalLength(), began = performance.now();
  const step = (/** @type {number} */ now) => {
    const share = Math.max(0, Math.min(1, (now - began) / FLIGHT_MS));
    const point = line.getPointAtLength(length * share);
    dot.setAttribute("cx", String(point.x));
    dot.setAttribute("cy", String(point.y));
    if (share < 1 && dot.isConnected) requestAnimationFrame(step); else dot.remove();
  };
  step(began);
  return true;
}

/** The range below the graph shows each record as it is moved; without a script its button does. */
export function scrub(/** @type {(address: string) => Promise<void>} */ draw) {
  const form = document.querySelector("form[data-replay]"), range = form?.querySelector("input");
  if (!form || !range) return;
  form.querySelector("button")?.setAttribute("hidden", "");
  let asked = "", busy = false;
  const show = async () => {
    if (busy || !asked) return;
    busy = true;
    const at = asked;
    asked = "";
    const address = new URL(location.href);
    if (at === range.max) address.searchParams.delete("at"); else address.searchParams.set("at", at);
    history.replaceState(null, "", address);
    try { await draw(address.href); } finally { busy = false; }
    show();
  };
  range.addEventListener("input", () => { asked = range.value; show(); });
}
