/** How many events there were over time, with a brush for the range: from the counts of days and hours. */

import { barChart } from "../charts/bars.js";
import { get } from "../lib/api.js";
import { fill, h } from "../lib/dom.js";
import { DAY_MS, shortTime, utcDay } from "../lib/format.js";
import { parametersOf } from "./questions.js";

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
  const counted = Object.fromEntries(Object.entries(filters).filter(([name]) => COUNTED.includes(name)));
  const asked = parametersOf(counted, { first: utcDay(since), last: utcDay(until - 1), step: hourly ? "hour" : "day" });
  const { steps } = await get(`/metrics/volume?${asked}`, {}, signal);
  const start = Math.floor(since / step) * step;
  const count = Math.ceil((until - start) / step);
  const parts = Array.from({ length: count }, () => [0, 0]);
  for (const each of steps) {
    const at = Math.floor((Date.parse(each.start) - start) / step);
    if (parts[at]) parts[at] = [each.events - each.failures, each.failures];
  }
  const bars = parts.map((each, index) => {
    const from = start + index * step;
    return { start: from, end: from + step, parts: each, label: hourly ? shortTime(from) : utcDay(from) };
  });
  if (signal.aborted) return;
  const others = Object.keys(filters).some((name) => !COUNTED.includes(name) && !["since", "until", "order"].includes(name));
  fill(place,
    barChart({
      label: `Events by ${hourly ? "hour" : "day"}`, height: 92, bars, names: ["succeeded", "failed"], classes: ["bar", "bar bad"],
      onpick: (from, to) => pick(new Date(from).toISOString(), new Date(to).toISOString()),
    }),
    others && h("p", { class: "faint small" }, "Counted by source, action and status alone."));
}
