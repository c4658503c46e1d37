/** What all charts share: an SVG as wide as its place, scales, an axis, and a line of text on what is under the pointer. */

import { fill, h, svg } from "../lib/dom.js";
import { compact } from "../lib/format.js";

/**
 * A chart that draws itself anew when its place changes.
 * @param {string} label What it shows, in a sentence.
 * @param {number} height In pixels.
 * @param {(width: number, say: (text: string) => void) => any[]} draw Returns what is in the SVG.
 * @returns {HTMLElement & { redraw: () => void }}
 */
export function chart(label, height, draw) {
  const note = h("div", { class: "chart-note", "aria-hidden": "true" });
  const picture = svg("svg", { class: "chart", height, role: "img", "aria-label": label });
  const place = h("div", { class: "chart-place", onpointerleave: () => (note.textContent = "") }, picture, note);
  let width = 0;
  const redraw = () => {
    if (!width) return;
    picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
    picture.setAttribute("width", String(width));
    fill(picture, ...draw(width, (text) => (note.textContent = text)));
  };
  new ResizeObserver(([entry]) => {
    const now = Math.floor(entry.contentRect.width);
    if (now === width) return;
    width = now;
    redraw();
  }).observe(place);
  return Object.assign(place, { redraw });
}

/**
 * A round number no smaller than the largest value.
 * @param {number} most
 */
export function roundUp(most) {
  if (most <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(most));
  const step = [1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10].find((each) => each * power >= most) ?? 10;
  return step * power;
}

export const LEFT = 44;
export const BOTTOM = 18;

/**
 * Lines and numbers of a vertical axis from 0.
 * @param {number} width
 * @param {number} height Of the area above the horizontal axis.
 * @param {number} top The value at the top.
 * @param {(value: number) => string} [write]
 */
export const verticalAxis = (width, height, top, write = compact) =>
  [0, 0.5, 1].flatMap((share) => {
    const y = Math.round(4 + (height - 4) * (1 - share)) + 0.5;
    return [
      svg("line", { class: "grid-line", x1: LEFT, x2: width, y1: y, y2: y }),
      svg("text", { class: "tick", x: LEFT - 6, y: y + 3.5, "text-anchor": "end" }, write(top * share)),
    ];
  });

/**
 * A few texts below a horizontal axis.
 * @param {string[]} texts One for each place, of which as many are written as have room.
 * @param {(index: number) => number} x
 * @param {number} y
 * @param {number} width
 */
export function horizontalAxis(texts, x, y, width) {
  const room = Math.max(1, Math.floor((width - LEFT) / 64));
  const step = Math.max(1, Math.ceil(texts.length / room));
  return texts.flatMap((text, index) =>
    index % step || x(index) > width - 34 ? [] : [svg("text", { class: "tick", x: x(index), y: y + 14 }, text.replace(/^\d{4}-/, ""))]);
}
