/** What is looked for: the filters in the address, shown as chips, and the form that adds one. */

import { button, fill, h } from "../lib/dom.js";
import { time } from "../lib/format.js";

/** @typedef {Record<string, string>} Filters By the names that the API gives them. */

/** Filters that a person may add, each with its name and what one looks like. */
export const FIELDS = /** @type {const} */ ({
  source: ["Source", "shop"],
  action: ["Action", "order.paid, order.refunded"],
  action_prefix: ["Action starts with", "order."],
  status: ["Status", "failure"],
  entity_type: ["Entity type", "order"],
  entity_id: ["Entity id", "4711"],
  user_id: ["User id", "0192d2d4-…"],
  metadata: ["Metadata contains", '{"ip": "10.0.0.1"}'],
  since: ["Since", "2026-03-01T00:00:00Z"],
  until: ["Until", "2026-03-02T00:00:00Z"],
});

const NAMES = [...Object.keys(FIELDS), "text", "order"];

/**
 * Take what the API knows out of an address's parameters.
 * @param {Record<string, string>} parameters
 * @returns {Filters}
 */
export const filtersOf = (parameters) =>
  Object.fromEntries(Object.entries(parameters).filter(([name, value]) => NAMES.includes(name) && value));

/** @param {string} name @param {string} value */
const written = (name, value) => (name === "since" || name === "until" ? time(value).slice(0, 19) : value);

/**
 * The chips.
 * @param {HTMLElement} place
 * @param {Filters} filters
 * @param {(changes: Filters) => void} change
 */
export function showChips(place, filters, change) {
  const chips = Object.entries(FIELDS).flatMap(([name, [title]]) =>
    filters[name]
      ? [h("span", { class: "chip" }, h("span", { class: "chip-name" }, title), h("span", { class: "chip-value" }, written(name, filters[name])),
          button("×", () => change({ [name]: "" }), { class: "chip-close", "aria-label": `Remove ${title}` }))]
      : []);
  const clear = () => change(Object.fromEntries(Object.keys(FIELDS).map((name) => [name, ""])));
  fill(place, chips, chips.length > 1 && button("Clear", clear, { class: "button quiet" }));
}

/**
 * The form that adds a filter.
 * @param {(changes: Filters) => void} change
 * @param {(name: string) => Promise<string[]>} suggest Values that a filter is known to have.
 */
export function filterForm(change, suggest) {
  const choice = h("select", { class: "input", "aria-label": "Filter", onchange: () => void prepare() },
    Object.entries(FIELDS).map(([name, [title]]) => h("option", { value: name }, title)));
  const list = h("datalist", { id: "filter-values" });
  const value = h("input", { class: "input", "aria-label": "Value", list: "filter-values", autocomplete: "off", required: true });
  const prepare = async () => {
    const name = /** @type {keyof typeof FIELDS} */ (choice.value);
    value.placeholder = FIELDS[name][1];
    value.value = "";
    fill(list, (await suggest(name)).map((each) => h("option", { value: each })));
  };
  const form = h("form", { class: "filter-form", "aria-label": "Add a filter", onsubmit: (/** @type {Event} */ event) => {
    event.preventDefault();
    const problem = wrong(choice.value, value.value);
    value.setCustomValidity(problem);
    if (problem) return value.reportValidity();
    change({ [choice.value]: cleaned(choice.value, value.value.trim()) });
    value.value = "";
  } }, choice, value, list, h("button", { class: "button" }, "Add"));
  value.addEventListener("input", () => value.setCustomValidity(""));
  value.addEventListener("focus", () => void prepare(), { once: true });
  value.placeholder = FIELDS.source[1];
  return form;
}

/**
 * What is wrong with a value; empty where nothing is.
 * @param {string} name
 * @param {string} value
 */
function wrong(name, value) {
  if ((name === "since" || name === "until") && Number.isNaN(Date.parse(value))) return "An instant, as in 2026-03-01T00:00:00Z";
  if (name === "user_id" && !/^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$/i.test(value.trim())) return "A UUID";
  if (name !== "metadata") return "";
  try {
    return JSON.parse(value)?.constructor === Object ? "" : "A JSON object";
  } catch {
    return 'A JSON object, as in {"ip": "10.0.0.1"}';
  }
}

/** @param {string} name @param {string} value */
const cleaned = (name, value) => (name === "since" || name === "until" ? new Date(value).toISOString() : value);
