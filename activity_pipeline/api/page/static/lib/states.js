/** What a part of a page shows before it has something, or instead. */

import { isAbort } from "./api.js";
import { button, fill, h } from "./dom.js";

/** @param {string} [what] */
export const loading = (what = "Loading") =>
  h("div", { class: "state", role: "status" }, h("span", { class: "spinner", "aria-hidden": "true" }), `${what}…`);

/** @param {string} title @param {string} [hint] */
export const empty = (title, hint) => h("div", { class: "state" }, h("strong", {}, title), hint && h("span", {}, hint));

/**
 * @param {unknown} error
 * @param {() => void} [again]
 */
export function failed(error, again) {
  const problem = /** @type {any} */ (error);
  return h("div", { class: "state bad", role: "alert" },
    h("strong", {}, problem.message ?? String(error)),
    problem.requestId && h("span", { class: "faint" }, `request ${problem.requestId}`),
    again && button("Try again", again));
}

/**
 * A part of a page that shows what it asked for.
 * @param {string} title
 * @param {() => Promise<Node | Node[]>} find
 * @param {{ class?: string, tools?: Node[] }} [options]
 * @returns {HTMLElement & { refresh: () => Promise<void> }}
 */
export function panel(title, find, options = {}) {
  const body = h("div", { class: "panel-body" }, loading());
  const refresh = async () => {
    try {
      fill(body, .../** @type {Node[]} */ ([await find()].flat()));
    } catch (error) {
      if (!isAbort(error)) fill(body, failed(error, () => void refresh()));
    }
  };
  const section = h("section", { class: `panel ${options.class ?? ""}`, "aria-label": title },
    h("div", { class: "panel-head" }, h("h2", {}, title), options.tools), body);
  void refresh();
  return Object.assign(section, { refresh });
}

/**
 * Do something again and again while anybody looks at it.
 * @param {() => unknown} what
 * @param {number} seconds
 * @param {AbortSignal} signal
 */
export function every(what, seconds, signal) {
  const timer = setInterval(() => document.hidden || what(), seconds * 1000);
  signal.addEventListener("abort", () => clearInterval(timer));
}
