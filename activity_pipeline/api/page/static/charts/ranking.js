/** A ranking: what there is most of, each with a bar. */

import { h } from "../lib/dom.js";
import { number } from "../lib/format.js";

/**
 * @param {{ name: string, value: number, href?: string }[]} rows
 */
export function ranking(rows) {
  const most = Math.max(1, ...rows.map((row) => row.value));
  return h("ol", { class: "ranking" }, rows.map((row) =>
    h("li", {},
      h("span", { class: "ranking-name", title: row.name }, row.href ? h("a", { href: row.href }, row.name) : row.name),
      h("span", { class: "number" }, number(row.value)),
      h("span", { class: "ranking-bar", "aria-hidden": "true", style: { width: `${(row.value / most) * 100}%` } }))));
}
