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
export async function askForPage(filters, cursor, signal) {
  /** @type {any[]} */
  const items = [];
  /** @type {Answer} */
  let answer;
  do {
    const limit = PAGE_ROWS - items.length;
    answer = await get(`/activities?${parametersOf(filters, { limit, cursor })}`, {}, signal);
    items.push(...answer.items);
    cursor = answer.next_cursor;
    // A page may be short though there are more: the service had looked for long enough.
  } while (cursor && items.length < PAGE_ROWS);
  return { ...answer, items };
}

/**
 * Where everything that is filtered can be had as a file.
 * @param {Filters} filters
 * @param {"ndjson" | "csv" | "parquet"} format
 */
export const exportAddress = (filters, format) => `${address(`/export.${format}`)}?${parametersOf(filters)}`;

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

/** @type {Map<string, Promise<string[]>>} */
const suggested = new Map();

/**
 * Values that a filter is known to have, from the last month's counts.
 * @param {string} name
 * @returns {Promise<string[]>}
 */
export function suggest(name) {
  const field = name === "action_prefix" ? "action" : name;
  if (!["source", "action", "status"].includes(field)) return Promise.resolve([]);
  const known = suggested.get(field) ?? counted(field).catch(() => []);
  suggested.set(field, known);
  return known;
}

/** @param {string} field @returns {Promise<string[]>} */
async function counted(field) {
  const first = new Date(Date.now() - 30 * 86_400_000).toISOString().slice(0, 10);
  const { rows } = await get("/metrics/daily", { first, limit: 10000 });
  return [...new Set(rows.map((/** @type {any} */ row) => row[field]))].sort();
}
