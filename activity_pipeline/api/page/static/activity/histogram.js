/** How many events there were over time, with a brush for the range: from the counts of days and hours. */

import { barChart } from "../charts/bars.js";
import { get } from "../lib/api.js";
import { fill, h } from "../lib/dom.js";
import { DAY_MS, shortTime, utcDay } from "../lib/format.js";
import { isFailure } from "./grid.js";

/** @typedef {import("./filters.js").Filters} Filters */

const DEFAULT_DAYS = 30;
const MOST_DAYS = 366;
const HOURLY_DAYS = 7;
const HOUR_MS = 3_600_000;
const COUNTED = ["source", "action", "status", "action_prefix"];

/**
 * The range of a question, as it is drawn.
 * @param {Filters} filters
 */
export function rangeOf(filters) {
  const until = filters.until ? Date.parse(filters.until) : Date.now();
  const since = filters.since ? Date.parse(filters.since) : until - DEFAULT_DAYS * DAY_MS;
  return { since: Math.max(since, until - MOST_DAYS * DAY_MS), until: Math.max(until, since + HOUR_MS) };
}

/**
 * Show the histogram.
 * @param {HTMLElement} place
 * @param {Filters} filters
 * @param {(since: string, until: string) => void} pick
 * @param {AbortSignal} signal
 */
export async function showHistogram(place, filters, pick, signal) {
  const { since, until } = rangeOf(filters);
  const hourly = until - since <= HOURLY_DAYS * DAY_MS;
  const step = hourly ? HOUR_MS : DAY_MS;
  const asked = { first: utcDay(since), last: utcDay(until - 1), limit: 10000 };
  const { rows } = await get(hourly ? "/metrics/hourly" : "/metrics/daily", asked, signal);
  const start = Math.floor(since / step) * step;
  const count = Math.ceil((until - start) / step);
  const parts = Array.from({ length: count }, () => [0, 0]);
  for (const row of rows) {
    const at = Math.floor((Date.parse(row.hour ?? row.date) - start) / step);
    if (parts[at] && fits(row, filters)) parts[at][isFailure(row.status) ? 1 : 0] += row.count;
  }
  const bars = parts.map((each, index) => {
    const from = start + index * step;
    return { start: from, end: from + step, parts: each, label: hourly ? shortTime(from) : utcDay(from) };
  });
  if (signal.aborted) return;
  const others = Object.keys(filters).some((name) => !COUNTED.includes(name) && !["since", "until", "order"].includes(name));
  fill(place,
    barChart({
      label: `Events by ${hourly ? "hour" : "day"}`, height: 92, bars, names: ["events", "failed"], classes: ["bar", "bar bad"],
      onpick: (from, to) => pick(new Date(from).toISOString(), new Date(to).toISOString()),
    }),
    others && h("p", { class: "faint small" }, "Counted by source, action and status alone."));
}

/** @param {any} row @param {Filters} filters */
const fits = (row, filters) =>
  ["source", "action", "status"].every((name) => !filters[name] || filters[name].split(",").map((each) => each.trim()).includes(row[name])) &&
  (!filters.action_prefix || row.action.startsWith(filters.action_prefix));
