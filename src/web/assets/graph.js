// The graph: a message moves along its handoff when it is sent, and the scrubber stands the graph at any record.

const FLIGHT_MS = 900;
const SVG = "http://www.w3.org/2000/svg";
const still = matchMedia("(prefers-reduced-motion: reduce)");

/** Lets the messages of these records move along their ways, if they are drawn. */
export function fly(/** @type {string[]} */ records) {
  for (const record of records) {
    const sent = JSON.parse(record)?.fact?.is?.message_sent;
    if (sent && way(sent)) one(sent);
  }
}

/** The way of a message in the graph as it is drawn now. */
function way(/** @type {{ from?: string, outcome: string, to: any }} */ sent) {
  const [from, to] = [sent.from ?? "start", sent.to?.member ?? sent.to];
  return [...document.querySelectorAll("svg.drawing g.way")].find((one) =>
    one instanceof SVGGElement && one.dataset.from === from && one.dataset.outcome === sent.outcome && one.dataset.to === to);
}

/** A message on its way; a graph that is drawn anew meanwhile does not stop it. */
function one(/** @type {{ from?: string, outcome: string, to: any }} */ sent) {
  const dot = document.createElementNS(SVG, "circle"), began = performance.now();
  dot.setAttribute("class", "flight");
  dot.setAttribute("r", "6");
  /** @type {Element | undefined} */
  let here;
  const step = () => {
    const share = (performance.now() - began) / FLIGHT_MS;
    if (share >= 1) { here?.classList.remove("now"); return dot.remove(); }
    if (!here?.isConnected) here = way(sent);
    const line = here?.querySelector("path.line");
    if (!(line instanceof SVGPathElement)) return dot.remove();
    here?.classList.add("now");
    if (!still.matches) {
      if (!dot.isConnected) line.ownerSVGElement?.append(dot);
      const point = line.getPointAtLength(line.getTotalLength() * share);
      dot.setAttribute("cx", String(point.x));
      dot.setAttribute("cy", String(point.y));
    }
    requestAnimationFrame(step);
  };
  step();
}

/** The range below the graph shows each record as it is moved; without a script its button does. */
export function scrub(/** @type {(address: string) => Promise<void>} */ draw) {
  document.documentElement.classList.add("scrubs");
  /** @type {HTMLInputElement | undefined} */
  let asked;
  let busy = false;
  const show = async () => {
    if (busy || !asked) return;
    busy = true;
    const address = new URL(location.href);
    if (asked.value === asked.max) address.searchParams.delete("at"); else address.searchParams.set("at", asked.value);
    asked = undefined;
    history.replaceState(null, "", address);
    try { await draw(address.href); } finally { busy = false; }
    show();
  };
  document.addEventListener("input", ({ target }) => {
    if (target instanceof HTMLInputElement && target.form?.matches("[data-replay]")) { asked = target; show(); }
  });
}
