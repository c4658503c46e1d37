/** A line over days with the band that was expected of some of them. */

import { svg } from "../lib/dom.js";
import { BOTTOM, LEFT, chart, horizontalAxis, roundUp, verticalAxis } from "./frame.js";

/**
 * @typedef {{ label: string, value: number | null, band?: { lower: number, expected: number, upper: number }, mark?: boolean }} Point
 */

/**
 * @param {{ label: string, height: number, points: Point[], write: (value: number) => string }} options
 */
export function lineChart({ label, height, points, write }) {
  const highest = Math.max(0, ...points.flatMap((point) => [point.value ?? 0, point.band?.upper ?? 0]));
  const top = roundUp(highest);
  const area = height - BOTTOM;
  return chart(label, height, (width, say) => {
    const step = (width - LEFT) / Math.max(1, points.length);
    const x = (/** @type {number} */ index) => LEFT + (index + 0.5) * step;
    const y = (/** @type {number} */ value) => 4 + (area - 4) * (1 - Math.min(value, top) / top);
    const bands = points.flatMap(({ band }, index) => {
      if (!band) return [];
      const half = Math.min(14, Math.max(4, step * 0.35));
      const tall = Math.max(2, y(Math.max(0, band.lower)) - y(band.upper));
      return [
        svg("rect", { class: "band", x: x(index) - half, width: 2 * half, y: y(band.upper), height: tall, rx: 2 }),
        svg("line", { class: "expected", x1: x(index) - half, x2: x(index) + half, y1: y(band.expected), y2: y(band.expected) }),
      ];
    });
    let pen = "M";
    const path = points.map(({ value }, index) => {
      if (value === null) {
        pen = "M";
        return "";
      }
      const drawn = `${pen}${x(index).toFixed(1)} ${y(value).toFixed(1)}`;
      pen = "L";
      return drawn;
    }).join("");
    const marks = points.flatMap((point, index) =>
      point.mark && point.value !== null ? [svg("circle", { class: "mark", cx: x(index), cy: y(point.value), r: 4 })] : []);
    const pad = svg("rect", { class: "pad", x: LEFT, y: 0, width: Math.max(0, width - LEFT), height: area });
    pad.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => {
      const point = points[Math.floor((event.clientX - pad.getBoundingClientRect().left) / step)];
      if (!point) return;
      const expected = point.band ? `, expected ${write(point.band.lower)} to ${write(point.band.upper)}` : "";
      say(`${point.label}: ${point.value === null ? "nothing" : write(point.value)}${expected}`);
    });
    return [
      ...verticalAxis(width, area, top, write),
      ...bands,
      svg("path", { class: "line", d: path }),
      ...marks,
      ...horizontalAxis(points.map((point) => point.label), (index) => LEFT + index * step, area, width),
      pad,
    ];
  });
}
