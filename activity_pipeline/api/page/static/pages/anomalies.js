/** Anomalies: what was far from its own history, beside what was expected; looked at, or muted for a while. */

import { lineChart } from "../charts/lines.js";
import { get, post } from "../lib/api.js";
import { ask, toast } from "../lib/dialog.js";
import { button, fill, h } from "../lib/dom.js";
import { DAY_MS, compact, daysAgo, percent, time, utcDay } from "../lib/format.js";
import { go, link } from "../lib/router.js";
import { empty, panel } from "../lib/states.js";
import { isFailure } from "../activity/grid.js";
import { may } from "../lib/session.js";

const RANGES = [7, 30, 90];
const BEFORE = 28;

/** @param {any} anomaly */
const keyOf = ({ date, kind, source, action }) => ({ date, kind, source, action });

/** @param {any} anomaly */
const write = (anomaly) => (anomaly.kind === "failure_rate" ? percent : compact);

/**
 * @param {Record<string, string>} parameters
 * @param {AbortSignal} signal
 */
export function anomaliesPage(parameters, signal) {
  const days = RANGES.includes(Number(parameters.days)) ? Number(parameters.days) : 30;
  const choice = h("select", { class: "input", "aria-label": "Range", onchange: () => go("anomalies", { days: choice.value }) },
    RANGES.map((each) => h("option", { value: each, selected: each === days }, `${each} days`)));
  const picture = h("div", {});
  const list = panel("Found", async () => {
    const { rows } = await get("/anomalies", { first: daysAgo(days - 1), last: daysAgo(0), limit: 1000 }, signal);
    rows.sort((/** @type {any} */ a, /** @type {any} */ b) => b.date.localeCompare(a.date) || a.p_value - b.p_value);
    if (!rows.length) return empty("Nothing unusual", "Each series was within its expected range.");
    void draw(picture, rows[0], signal);
    return h("ul", { class: "cards" }, rows.map((/** @type {any} */ row) => card(row, picture, () => void list.refresh(), signal)));
  });
  return h("div", { class: "page" }, h("div", { class: "page-head" }, h("h1", {}, "Anomalies"), choice), picture, list);
}

/**
 * @param {any} anomaly
 * @param {HTMLElement} picture
 * @param {() => void} again
 * @param {AbortSignal} signal
 */
function card(anomaly, picture, again, signal) {
  const { acknowledged_at: looked, acknowledged_by: by, muted_until: muted } = anomaly;
  return h("li", { class: `card ${looked || muted ? "done" : anomaly.severity}` },
    h("div", { class: "card-head" },
      h("span", { class: `badge ${anomaly.severity}` }, anomaly.severity),
      h("strong", {}, anomaly.kind.replaceAll("_", " ")),
      h("span", {}, [anomaly.source, anomaly.action].filter(Boolean).join(" · ")),
      h("time", { class: "faint" }, anomaly.date)),
    h("p", {}, anomaly.sentence),
    looked && h("p", { class: "faint small" }, `Looked at by ${by}, ${time(looked).slice(0, 16)}${anomaly.note ? `: ${anomaly.note}` : ""}`),
    muted && h("p", { class: "faint small" }, `Muted until ${time(muted).slice(0, 16)}`),
    h("div", { class: "actions start" },
      button("Chart", () => void draw(picture, anomaly, signal).then(() => picture.scrollIntoView({ block: "nearest" }))),
      h("a", { class: "button", href: link("activity", { source: anomaly.source, action: anomaly.action, since: `${anomaly.date}T00:00:00.000Z`, until: new Date(Date.parse(anomaly.date) + DAY_MS).toISOString() }) }, "Events"),
      may("admin") && !looked && button("Acknowledge", () => void acknowledge(anomaly, again)),
      may("admin") && !muted && button("Mute", () => void mute(anomaly, again))));
}

/**
 * @param {HTMLElement} place
 * @param {any} anomaly
 * @param {AbortSignal} signal
 */
async function draw(place, anomaly, signal) {
  const end = Math.min(Date.parse(anomaly.date) + 3 * DAY_MS, Date.parse(daysAgo(0)));
  const first = Date.parse(anomaly.date) - BEFORE * DAY_MS;
  const of = { source: anomaly.source, action: anomaly.action, first: utcDay(first), last: utcDay(end), limit: 10000 };
  const chart = panel(`${anomaly.source}${anomaly.action ? ` · ${anomaly.action}` : ""}, ${anomaly.date}`, async () => {
    const [counted, found] = await Promise.all([get("/metrics/daily", of, signal), get("/anomalies", of, signal)]);
    const bands = new Map(found.rows.filter((/** @type {any} */ row) => row.kind === anomaly.kind && row.action === anomaly.action)
      .map((/** @type {any} */ row) => [row.date, row]));
    const points = Array.from({ length: Math.round((end - first) / DAY_MS) + 1 }, (_, index) => {
      const day = utcDay(first + index * DAY_MS);
      const rows = counted.rows.filter((/** @type {any} */ row) => row.date === day);
      const band = bands.get(day);
      const value = band ? band.observed : valueOf(rows, anomaly.kind);
      return { label: day, value, band, mark: !!band };
    });
    return [
      lineChart({ label: `${anomaly.sentence} The four weeks before it, and what was expected.`, height: 190, points, write: write(anomaly) }),
      h("p", { class: "faint small" }, `Line: ${anomaly.kind === "failure_rate" ? "share that failed" : "events a day"}. Band: what was expected on the days that were unusual.`),
    ];
  });
  fill(place, chart);
}

/** @param {any[]} rows Of one day. @param {string} kind */
function valueOf(rows, kind) {
  const all = rows.reduce((sum, row) => sum + row.count, 0);
  if (kind !== "failure_rate") return all;
  return all ? rows.filter((row) => isFailure(row.status)).reduce((sum, row) => sum + row.count, 0) / all : null;
}

/** @param {any} anomaly @param {() => void} again */
async function acknowledge(anomaly, again) {
  const said = await ask({ title: "Acknowledge", text: anomaly.sentence, yes: "Acknowledge", fields: [{ name: "note", label: "What was found", optional: true }] });
  if (!said) return;
  await tried(post("/anomalies/acknowledge", { ...keyOf(anomaly), note: said.note }), "Acknowledged", again);
}

/** @param {any} anomaly @param {() => void} again */
async function mute(anomaly, again) {
  const series = [anomaly.source, anomaly.action].filter(Boolean).join(" · ");
  const said = await ask({ title: "Mute", text: `Nobody is told of ${series} for a while; what is unusual is stored all the same.`, yes: "Mute",
    fields: [{ name: "days", label: "Days", type: "number", value: "7", min: "1", max: "365" }, { name: "reason", label: "Why" }] });
  if (!said) return;
  const until = new Date(Date.now() + Number(said.days) * DAY_MS).toISOString();
  const { source, action, kind } = anomaly;
  await tried(post("/anomalies/mute", { source, action: action || null, kind, until, reason: said.reason }), "Muted", again);
}

/** @param {Promise<any>} request @param {string} done @param {() => void} again */
async function tried(request, done, again) {
  try {
    await request;
    toast(done);
    again();
  } catch (error) {
    toast(/** @type {Error} */ (error).message, "bad");
  }
}
