/** A small table; the list of events is no such thing, see activity/grid.js. */

import { h } from "./dom.js";

/**
 * @template T
 * @typedef {{ title: string, cell: (row: T) => any, number?: boolean, wide?: boolean }} Column
 */

/**
 * @template T
 * @param {string} label What it lists, for those who do not see it.
 * @param {Column<T>[]} columns
 * @param {T[]} rows
 */
export function table(label, columns, rows) {
  const kind = (/** @type {Column<T>} */ column) => (column.number ? "number" : column.wide ? "wide" : null);
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label },
    h("table", {},
      h("thead", {}, h("tr", {}, columns.map((column) => h("th", { scope: "col", class: kind(column) }, column.title)))),
      h("tbody", {}, rows.map((row) =>
        h("tr", {}, columns.map((column) => h("td", { class: kind(column) }, column.cell(row))))))));
}
