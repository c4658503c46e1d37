/** A heat map of hours and weekdays, as a table: its numbers are there for those who do not see it. */

import { h } from "../lib/dom.js";
import { number } from "../lib/format.js";

export const WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const LEVELS = 6;

/**
 * @param {string} label
 * @param {number[][]} counts By weekday from Monday, then by hour.
 */
export function heatMap(label, counts) {
  const most = Math.max(1, ...counts.flat());
  const level = (/** @type {number} */ count) => (count ? Math.max(1, Math.ceil((count / most) * LEVELS)) : 0);
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label },
    h("table", { class: "heat" },
      h("thead", {}, h("tr", {}, h("td"), Array.from({ length: 24 }, (_, hour) =>
        h("th", { scope: "col" }, hour % 3 ? h("span", { class: "unseen" }, hour) : hour)))),
      h("tbody", {}, counts.map((row, weekday) =>
        h("tr", {}, h("th", { scope: "row" }, WEEKDAYS[weekday]), row.map((count, hour) =>
          h("td", { class: `heat-${level(count)}`, title: `${WEEKDAYS[weekday]} ${hour}:00 UTC, ${number(count)} events` },
            h("span", { class: "unseen" }, number(count)))))))));
}
