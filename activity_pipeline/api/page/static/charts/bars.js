/** Bars over time, stacked, with a brush that picks a range. */

import { svg } from "../lib/dom.js";
import { number } from "../lib/format.js";
import { BOTTOM, LEFT, chart, horizontalAxis, roundUp, verticalAxis } from "./frame.js";

/**
 * @typedef {{ start: number, end: number, label: string, parts: number[] }} Bar Instants in milliseconds;
 *   `parts` from the bottom up, one for each of `names`.
 */

/**
 * @param {{ label: string, height: number, names: string[], classes: string[], bars: Bar[],
 *   onpick?: (since: number, until: number) => void }} options
 */
export function barChart({ label, height, names, classes, bars, onpick }) {
  const total = (/** @type {Bar} */ bar) => bar.parts.reduce((sum, part) => sum + part, 0);
  const top = roundUp(Math.max(0, ...bars.map(total)));
  const area = height - BOTTOM;
  return chart(label, height, (width, say) => {
    const step = (width - LEFT) / Math.max(1, bars.length);
    const x = (/** @type {number} */ index) => LEFT + index * step;
    const y = (/** @type {number} */ value) => 4 + (area - 4) * (1 - value / top);
    const shapes = bars.flatMap((bar, index) => {
      let below = 0;
      return bar.parts.map((part, place) => {
        const from = y(below);
        below += part;
        // What is not nothing is seen.
        const tall = part ? Math.max(1, from - y(below)) : 0;
        return svg("rect", { class: classes[place], x: x(index) + 0.5, y: from - tall, width: Math.max(0.5, step - 1), height: tall });
      });
    });
    const describe = (/** @type {Bar} */ bar) =>
      `${bar.label}: ${names.map((name, place) => `${number(bar.parts[place])} ${name}`).join(", ")}`;
    return [
      ...verticalAxis(width, area, top),
      ...shapes,
      ...horizontalAxis(bars.map((bar) => bar.label), x, area, width),
      brush({ width, area, step, bars, say, describe, onpick }),
    ];
  });
}

/**
 * What takes the pointer: tells of the bar below it, and picks those it is drawn over.
 * @param {{ width: number, area: number, step: number, bars: Bar[], say: (text: string) => void,
 *   describe: (bar: Bar) => string, onpick?: (since: number, until: number) => void }} options
 */
function brush({ width, area, step, bars, say, describe, onpick }) {
  const shade = svg("rect", { class: "brush", y: 0, height: area, width: 0 });
  const pad = svg("rect", { class: onpick ? "pad pickable" : "pad", x: LEFT, y: 0, width: Math.max(0, width - LEFT), height: area });
  /** @type {number | null} */
  let from = null;
  const at = (/** @type {PointerEvent} */ event) => {
    const inside = event.clientX - pad.getBoundingClientRect().left;
    return Math.min(bars.length - 1, Math.max(0, Math.floor(inside / step)));
  };
  const span = (/** @type {number} */ a, /** @type {number} */ b) => /** @type {const} */ ([Math.min(a, b), Math.max(a, b)]);
  pad.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => {
    if (!bars.length) return;
    const now = at(event);
    say(describe(bars[now]));
    if (from === null) return;
    const [first, last] = span(from, now);
    shade.setAttribute("x", LEFT + first * step);
    shade.setAttribute("width", (last - first + 1) * step);
  });
  if (onpick) {
    pad.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => {
      if (!bars.length) return;
      pad.setPointerCapture(event.pointerId);
      from = at(event);
    });
    pad.addEventListener("pointerup", (/** @type {PointerEvent} */ event) => {
      if (from === null) return;
      const [first, last] = span(from, at(event));
      from = null;
      onpick(bars[first].start, bars[last].end);
    });
    pad.addEventListener("pointercancel", () => {
      from = null;
      shade.setAttribute("width", 0);
    });
  }
  return svg("g", {}, shade, pad);
}
