/** Metrics: volume, failures, the week's hours, and who and what there is most of. */

import { barChart } from "../charts/bars.js";
import { heatMap } from "../charts/heat.js";
import { ranking } from "../charts/ranking.js";
import { get } from "../lib/api.js";
import { h } from "../lib/dom.js";
import { DAY_MS, compact, daysAgo, percent, utcDay } from "../lib/format.js";
import { go, link } from "../lib/router.js";
import { empty, panel } from "../lib/states.js";
import { FAILURES } from "../activity/grid.js";

const RANGES = [7, 30, 90, 365];
const HOURLY_DAYS = 28;
const FAILED = [...FAILURES].join(",");
const TOP = 10;

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
  const asked = { first, last: daysAgo(0), source: parameters.source };
  const choice = h("select", { class: "input", "aria-label": "Range", onchange: () => go("metrics", { ...parameters, days: choice.value }) },
    RANGES.map((each) => h("option", { value: each, selected: each === days }, `${each} days`)));
  const filter = (/** @type {Record<string, string>} */ more) => link("activity", { since: `${first}T00:00:00.000Z`, ...more });

  const volume = async () => {
    const [{ steps }, sources, actions] = await Promise.all([
      get("/metrics/volume", asked, signal),
      get("/metrics/ranking", { ...asked, of: "sources", limit: 100 }, signal),
      get("/metrics/ranking", { ...asked, of: "actions", limit: 100 }, signal),
    ]);
    if (!steps.length) return empty("Nothing is counted yet", "Metrics are computed after each drain; activity-pipeline metrics does it now.");
    const sum = (/** @type {string} */ name) => steps.reduce((/** @type {number} */ all, /** @type {any} */ step) => all + step[name], 0);
    const all = sum("events");
    const bad = sum("failures");
    const by = new Map(steps.map((/** @type {any} */ step) => [Date.parse(step.start), step]));
    const bars = Array.from({ length: days }, (_, index) => {
      const start = Date.parse(first) + index * DAY_MS;
      const { events, failures } = by.get(start) ?? { events: 0, failures: 0 };
      return { start, end: start + DAY_MS, label: utcDay(start), parts: [events - failures, failures] };
    });
    const most = (/** @type {any[]} */ rows) => (rows.length === 100 ? "100 or more" : String(rows.length));
    return [
      h("div", { class: "figures" },
        figure("Events", compact(all), `${compact(all / days)} a day`),
        figure("Failed", percent(all ? bad / all : 0), `${compact(bad)} events`, bad / all > 0.05 ? "bad" : ""),
        figure("Sources", most(sources)),
        figure("Actions", most(actions))),
      barChart({ label: `Events by day, ${days} days`, height: 170, bars, names: ["succeeded", "failed"], classes: ["bar", "bar bad"],
        onpick: (since, until) => go("activity", { since: new Date(since).toISOString(), until: new Date(until).toISOString(), source: parameters.source }) }),
    ];
  };

  const top = (/** @type {string} */ of, /** @type {(name: string) => string} */ href, /** @type {"events" | "failures"} */ value = "events") => async () => {
    const rows = await get("/metrics/ranking", { ...asked, of, limit: TOP }, signal);
    return rows.length ? ranking(rows.map((/** @type {any} */ row) => ({ name: row.name, value: row[value], href: href(row.name) }))) : empty("None");
  };

  const hours = async () => {
    const { steps } = await get("/metrics/volume", { ...asked, first: daysAgo(Math.min(days, HOURLY_DAYS) - 1), step: "hour" }, signal);
    if (!steps.length) return empty("Nothing is counted by hour yet");
    const counts = Array.from({ length: 7 }, () => Array(24).fill(0));
    for (const step of steps) {
      const at = new Date(step.start);
      counts[(at.getUTCDay() + 6) % 7][at.getUTCHours()] += step.events;
    }
    return [heatMap("Events by weekday and hour", counts), h("p", { class: "faint small" }, "Hours are in UTC.")];
  };

  const entities = async () => {
    const { facets, value, relation } = await get("/facets", { since: `${first}T00:00:00Z`, source: parameters.source }, signal);
    const rows = (facets.entity_type ?? []).slice(0, TOP);
    if (!rows.length) return empty("No event has an entity");
    return [
      ranking(rows.map((/** @type {any} */ row) => ({ name: row.value, value: row.count, href: filter({ entity_type: row.value }) }))),
      relation === "gte" && h("p", { class: "faint small" }, `Of the newest ${compact(value)} events.`),
    ].filter(Boolean);
  };

  return h("div", { class: "page" },
    h("div", { class: "page-head" }, h("h1", {}, "Metrics"), choice,
      parameters.source && h("a", { class: "button quiet", href: link("metrics", { days }) }, `${parameters.source} ×`)),
    panel("Volume", volume),
    h("div", { class: "columns" },
      panel("Sources", top("sources", (source) => link("metrics", { days, source }))),
      panel("Actions", top("actions", (action) => filter({ action }))),
      panel("Failures", top("failing_actions", (action) => filter({ action, status: FAILED }), "failures")),
      panel("Users", top("users", (user_id) => filter({ user_id }))),
      panel("Entities", entities)),
    panel("Hours of the week", hours));
}
