/** Metrics: volume, failures, the week's hours, and who and what there is most of. */

import { barChart } from "../charts/bars.js";
import { heatMap } from "../charts/heat.js";
import { ranking } from "../charts/ranking.js";
import { get } from "../lib/api.js";
import { h } from "../lib/dom.js";
import { DAY_MS, compact, daysAgo, percent, utcDay } from "../lib/format.js";
import { go, link } from "../lib/router.js";
import { empty, panel } from "../lib/states.js";
import { isFailure } from "../activity/grid.js";

const RANGES = [7, 30, 90, 365];
const MOST = 10000;
const TOP = 10;

/**
 * @param {any[]} rows
 * @param {(row: any) => string} name
 * @param {(row: any) => number} [value]
 * @returns {[string, number][]}
 */
export function summed(rows, name, value = (row) => row.count) {
  /** @type {Map<string, number>} */
  const sums = new Map();
  for (const row of rows) sums.set(name(row), (sums.get(name(row)) ?? 0) + value(row));
  return [...sums].sort((a, b) => b[1] - a[1]);
}

/** @param {string} title @param {string} value @param {string} [note] @param {string} [kind] */
export const figure = (title, value, note, kind) =>
  h("div", { class: `figure ${kind ?? ""}` }, h("span", { class: "figure-title" }, title), h("span", { class: "figure-value" }, value), note && h("span", { class: "faint small" }, note));

/**
 * @param {Record<string, string>} parameters
 * @param {AbortSignal} signal
 */
export function metricsPage(parameters, signal) {
  const days = RANGES.includes(Number(parameters.days)) ? Number(parameters.days) : 30;
  const first = daysAgo(days - 1);
  const asked = { first, last: daysAgo(0), limit: MOST, source: parameters.source };
  const daily = get("/metrics/daily", asked, signal);
  daily.catch(() => {});
  const choice = h("select", { class: "input", "aria-label": "Range", onchange: () => go("metrics", { ...parameters, days: choice.value }) },
    RANGES.map((each) => h("option", { value: each, selected: each === days }, `${each} days`)));
  const filter = (/** @type {Record<string, string>} */ more) => link("activity", { since: `${first}T00:00:00.000Z`, ...more });

  const volume = async () => {
    const { rows, total } = await daily;
    if (!rows.length) return empty("Nothing is counted yet", "Metrics are computed after each drain; activity-pipeline metrics does it now.");
    const all = rows.reduce((/** @type {number} */ sum, /** @type {any} */ row) => sum + row.count, 0);
    const bad = rows.filter((/** @type {any} */ row) => isFailure(row.status)).reduce((/** @type {number} */ sum, /** @type {any} */ row) => sum + row.count, 0);
    const bars = Array.from({ length: days }, (_, index) => {
      const start = Date.parse(first) + index * DAY_MS;
      return { start, end: start + DAY_MS, label: utcDay(start), parts: [0, 0] };
    });
    for (const row of rows) {
      const bar = bars[Math.round((Date.parse(row.date) - Date.parse(first)) / DAY_MS)];
      if (bar) bar.parts[isFailure(row.status) ? 1 : 0] += row.count;
    }
    return [
      h("div", { class: "figures" },
        figure("Events", compact(all), total > rows.length ? "of the rows that are shown" : `${compact(all / days)} a day`),
        figure("Failed", percent(all ? bad / all : 0), `${compact(bad)} events`, bad / all > 0.05 ? "bad" : ""),
        figure("Sources", String(new Set(rows.map((/** @type {any} */ row) => row.source)).size)),
        figure("Actions", String(new Set(rows.map((/** @type {any} */ row) => `${row.source} ${row.action}`)).size))),
      barChart({ label: `Events by day, ${days} days`, height: 170, bars, names: ["events", "failed"], classes: ["bar", "bar bad"],
        onpick: (since, until) => go("activity", { since: new Date(since).toISOString(), until: new Date(until).toISOString(), source: parameters.source }) }),
    ];
  };

  const tops = (/** @type {(row: any) => string} */ name, /** @type {(row: any) => boolean} */ wanted, /** @type {(name: string) => string} */ href) => async () => {
    const { rows } = await daily;
    const top = summed(rows.filter(wanted), name).slice(0, TOP);
    return top.length ? ranking(top.map(([each, value]) => ({ name: each, value, href: href(each) }))) : empty("None");
  };

  const hours = async () => {
    const { rows } = await get("/metrics/hourly", { ...asked, first: daysAgo(Math.min(days, 28) - 1) }, signal);
    if (!rows.length) return empty("Nothing is counted by hour yet");
    const counts = Array.from({ length: 7 }, () => Array(24).fill(0));
    for (const row of rows) {
      const at = new Date(row.hour);
      counts[(at.getUTCDay() + 6) % 7][at.getUTCHours()] += row.count;
    }
    return [heatMap("Events by weekday and hour", counts), h("p", { class: "faint small" }, "Hours are in UTC.")];
  };

  const users = async () => {
    const { rows } = await get("/metrics/users", { first, last: daysAgo(0), limit: MOST }, signal);
    const top = summed(rows, (row) => row.user_id, (row) => row.events).slice(0, TOP);
    return top.length ? ranking(top.map(([name, value]) => ({ name, value, href: filter({ user_id: name }) }))) : empty("No event has a user");
  };

  const entities = async () => {
    const { facets, ...named } = await get("/facets", { since: `${first}T00:00:00Z`, source: parameters.source }, signal);
    const found = (facets ?? named).entity_type ?? [];
    const rows = (Array.isArray(found) ? found : found.values ?? []).slice(0, TOP);
    return rows.length
      ? ranking(rows.map((/** @type {any} */ row) => ({ name: row.value, value: row.count, href: filter({ entity_type: row.value }) })))
      : empty("No event has an entity");
  };

  return h("div", { class: "page" },
    h("div", { class: "page-head" }, h("h1", {}, "Metrics"), choice,
      parameters.source && h("a", { class: "button quiet", href: link("metrics", { days }) }, `${parameters.source} ×`)),
    panel("Volume", volume),
    h("div", { class: "columns" },
      panel("Sources", tops((row) => row.source, () => true, (source) => link("metrics", { days, source }))),
      panel("Actions", tops((row) => row.action, () => true, (action) => filter({ action }))),
      panel("Failures", tops((row) => row.action, (row) => isFailure(row.status), (action) => filter({ action, status: "failure" }))),
      panel("Users", users),
      panel("Entities", entities)),
    panel("Hours of the week", hours));
}
