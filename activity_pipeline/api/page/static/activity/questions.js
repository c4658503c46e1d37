/** The questions about events that this page asks, and what their answers say of themselves. */

import { address, get } from "../lib/api.js";
import { number } from "../lib/format.js";
import { PAGE_ROWS } from "./pages.js";

/** @typedef {import("./filters.js").Filters} Filters @typedef {import("./pages.js").Answer} Answer */

/** Filters of which any of several values may hold, written with commas. */
const LISTS = new Set(["source", "action", "status", "user_id"]);

/**
 * The parameters of a question, lists as repeated names.
 * @param {Filters} filters
 * @param {Record<string, any>} [more]
 */
export function parametersOf(filters, more = {}) {
  const pairs = Object.entries({ ...filters, ...more }).flatMap(([name, value]) =>
    value === null || value === undefined || value === "" ? []
      : (LISTS.has(name) ? String(value).split(",") : [String(value)]).map((each) => [name, each.trim()]));
  return new URLSearchParams(pairs).toString();
}

/**
 * A page of events.
 * @param {Filters} filters
 * @param {string | null} cursor
 * @param {AbortSignal} signal
 * @returns {Promise<Answer>}
 */
export function askForPage(filters, cursor, signal) {
  return get(`/activities?${parametersOf(filters, { limit: PAGE_ROWS, cursor })}`, {}, signal);
}

/**
 * How many events there are; exact up to 10,000.
 * @param {Filters} filters
 * @param {AbortSignal} signal
 * @returns {Promise<{ value: number, relation: "eq" | "gte" }>}
 */
export function askForCount({ order, ...filters }, signal) {
  return get(`/activities/count?${parametersOf(filters)}`, {}, signal);
}

/**
 * Where everything that is filtered can be had as a file.
 * @param {Filters} filters
 * @param {"ndjson" | "csv" | "parquet"} format
 */
export const exportAddress = (filters, format) => `${address("/activities/export")}?${parametersOf(filters, { format })}`;

/**
 * What an answer says of its completeness, in a sentence; empty where it has everything.
 * @param {any} completeness
 */
export function incompleteness(completeness) {
  if (!completeness) return "";
  const count = (/** @type {any} */ value) => (Array.isArray(value) ? value.length : Number(value ?? 0));
  const missing = count(completeness.missing);
  const stale = count(completeness.stale);
  const waiting = count(completeness.queue?.waiting_events);
  const residual = count(completeness.ledger_residual);
  return [
    missing ? `${number(missing)} ${missing === 1 ? "day" : "days"} could not be read` : "",
    stale ? `${number(stale)} ${stale === 1 ? "day is" : "days are"} as of some time ago` : "",
    waiting ? `${number(waiting)} events still in the queue` : "",
    residual ? `the ledger does not account for ${number(residual)} events` : "",
  ].filter(Boolean).join(", ");
}

/** @type {Record<string, string>} Fields whose values are counted, by the filter that takes them. */
const COUNTED = { source: "source", action: "action", action_prefix: "action", status: "status", entity_type: "entity_type", user_id: "user_id" };

/** @type {Promise<Record<string, { value: string, count: number }[]>> | null} */
let facets = null;

/**
 * Values that a filter has in the newest events.
 * @param {string} name
 * @returns {Promise<string[]>}
 */
export async function suggest(name) {
  if (!(name in COUNTED)) return [];
  facets ??= get("/facets").then((answer) => answer.facets).catch(() => ((facets = null), {}));
  return ((await facets)?.[COUNTED[name]] ?? []).map((each) => each.value);
}
