/** The archive: where each day lives, and archived days brought back. */

import { get, post, remove } from "../lib/api.js";
import { ask, toast } from "../lib/dialog.js";
import { button, fill, h } from "../lib/dom.js";
import { DAY_MS, daysAgo, number, size, time, utcDay } from "../lib/format.js";
import { link } from "../lib/router.js";
import { may, session } from "../lib/session.js";
import { empty, panel } from "../lib/states.js";
import { figure } from "./metrics.js";

const MOST_DAYS = 4000;
const MONTHS = 12;
const REMEMBERED_MS = 2500;
const MONTH = new Intl.DateTimeFormat("en", { month: "long", year: "numeric", timeZone: "UTC" });
const LEGEND = { open: "taking events", sealed: "in Postgres, indexed", archived: "in Parquet", restored: "in both", erased: "with erased rows" };

/**
 * What a day is, for the calendar.
 * @param {any} day
 */
export function kindOf(day) {
  if (day.restored_until) return "restored";
  if (day.erased) return "erased";
  if (day.state === "archived") return "archived";
  return ["open", "reopened"].includes(day.state) ? "open" : "sealed";
}

/** @param {AbortSignal} signal */
export function archivePage(signal) {
  const detail = h("div", { class: "day-detail" });
  const list = panel("Days", async () => {
    const [{ days, total }, ledger] = await Promise.all([
      get("/days", { limit: MOST_DAYS }, signal),
      get("/ledger/days", { limit: MOST_DAYS }, signal).catch(() => []),
    ]);
    if (!days.length) return empty("No days yet", "The first event makes one.");
    const counted = new Map(ledger.map((/** @type {any} */ each) => [each.day, each]));
    for (const day of days) Object.assign(day, { ledger: counted.get(day.day), erased: counted.get(day.day)?.erased ?? 0 });
    return [summary(days, total), legend(), ...months(days, (day) => showDay(detail, day, again))];
  });
  const again = () => {
    void list.refresh();
    // Another process of the service may remember for a moment how things were.
    setTimeout(() => signal.aborted || void list.refresh(), REMEMBERED_MS);
  };
  const restore = may("admin") && button("Restore a range…", () => void restoreRange(again), { class: "button primary" });
  return h("div", { class: "page" }, h("div", { class: "page-head" }, h("h1", {}, "Archive"), restore), detail, list);
}

/** @param {any[]} days @param {number} total */
function summary(days, total) {
  const cold = days.filter((day) => day.archived_rows);
  const sum = (/** @type {string} */ name) => cold.reduce((all, day) => all + day[name], 0);
  const unproven = cold.filter((day) => !day.manifest).length;
  return h("div", { class: "figures" },
    figure("Days", number(total)),
    figure("Archived", number(days.filter((day) => day.state === "archived").length), `${number(sum("archived_rows"))} events`),
    figure("Parquet", size(sum("archived_bytes"))),
    figure("Restored", number(days.filter((day) => day.restored_until).length)),
    figure("In a signed manifest", unproven ? `all but ${unproven}` : "all", "activity-pipeline archive verify --deep reads every byte", unproven ? "bad" : ""));
}

const legend = () => h("ul", { class: "legend" }, Object.entries(LEGEND).map(([kind, text]) =>
  h("li", {}, h("span", { class: `day-box ${kind}`, "aria-hidden": "true" }), `${kind}: ${text}`)));

/**
 * @param {any[]} days Newest first.
 * @param {(day: any) => void} choose
 */
function months(days, choose) {
  const by = Map.groupBy ? Map.groupBy(days, (day) => day.day.slice(0, 7)) : grouped(days);
  const shown = [...by.keys()].sort().reverse();
  const sections = (/** @type {string[]} */ names) => h("div", { class: "months" }, names.map((name) => month(name, by.get(name) ?? [], choose)));
  const older = shown.slice(MONTHS);
  return [
    sections(shown.slice(0, MONTHS)),
    older.length > 0 && h("details", {}, h("summary", {}, `${older.length} months before`), sections(older)),
  ].filter(Boolean);
}

/** @param {any[]} days */
function grouped(days) {
  const by = new Map();
  for (const day of days) by.set(day.day.slice(0, 7), [...(by.get(day.day.slice(0, 7)) ?? []), day]);
  return by;
}

/**
 * @param {string} name 2026-03
 * @param {any[]} days
 * @param {(day: any) => void} choose
 */
function month(name, days, choose) {
  const first = new Date(`${name}-01T00:00:00Z`);
  const known = new Map(days.map((day) => [day.day, day]));
  const count = new Date(Date.UTC(first.getUTCFullYear(), first.getUTCMonth() + 1, 0)).getUTCDate();
  const blanks = Array.from({ length: (first.getUTCDay() + 6) % 7 }, () => h("span", { "aria-hidden": "true" }));
  const boxes = Array.from({ length: count }, (_, index) => {
    const day = known.get(utcDay(first.getTime() + index * DAY_MS));
    if (!day) return h("span", { class: "day-box none" }, index + 1);
    return button(String(index + 1), () => choose(day), { class: `day-box ${kindOf(day)}`, "data-day": day.day, "aria-label": `${day.day}, ${kindOf(day)}`, title: `${day.day}: ${kindOf(day)}` });
  });
  return h("section", { class: "month", "aria-label": MONTH.format(first) }, h("h3", {}, MONTH.format(first)), h("div", { class: "month-days" }, blanks, boxes));
}

/** @param {string} asset @param {string} day */
const runLink = (asset, day) => {
  const root = session()?.dagster_url;
  return root && h("a", { href: `${root}/assets/${asset}?partition=${day}`, target: "_blank", rel: "noreferrer" }, `Dagster: ${asset}`);
};

/**
 * @param {HTMLElement} place
 * @param {any} day
 * @param {() => void} again
 */
function showDay(place, day, again) {
  const close = () => fill(place);
  const done = () => { close(); again(); };
  const counts = day.ledger;
  const rows = Object.entries({
    State: `${kindOf(day)} (${day.state}, revision ${day.revision}, generation ${day.generation})`,
    "In Postgres": counts && `${number(counts.hot)} hot, ${number(counts.late)} late`,
    "In Parquet": day.archived_rows ? `${number(day.archived_rows)} events, ${size(day.archived_bytes)}` : null,
    Erased: day.erased ? number(day.erased) : null,
    Manifest: day.manifest,
    "Restored until": day.restored_until && time(day.restored_until).slice(0, 16),
    Ledger: counts && (counts.difference ? `differs by ${number(counts.difference)}` : "balanced: every event is accounted for"),
  }).filter(([, value]) => value);
  const isCold = day.archived_rows > 0;
  fill(place, h("section", { class: "panel", "aria-label": day.day },
    h("div", { class: "panel-head" }, h("h2", {}, day.day), button("×", close, { class: "button quiet", "aria-label": "Close" })),
    h("dl", { class: "pairs panel-body" }, rows.map(([title, value]) => h("div", { class: "pair" }, h("dt", {}, title), h("dd", {}, value)))),
    h("div", { class: "actions start panel-body" },
      h("a", { class: "button", href: link("activity", { since: `${day.day}T00:00:00.000Z`, until: new Date(Date.parse(day.day) + DAY_MS).toISOString() }) }, "Events"),
      may("admin") && isCold && button(day.restored_until ? "Keep it for longer" : "Restore", () => void restoreDays([day.day], 168).then(done)),
      may("admin") && day.restored_until && button("Give it back", () => void giveBack(day.day).then(done)),
      runLink("hot/events", day.day), isCold && runLink("archive/events", day.day))));
  place.scrollIntoView({ block: "nearest" });
}

/** @param {() => void} again */
async function restoreRange(again) {
  const said = await ask({ title: "Restore archived days", text: "They are back in Postgres, verified, until their time is over.", yes: "Restore",
    fields: [
      { name: "first", label: "First day", type: "date", value: daysAgo(60) },
      { name: "last", label: "Last day", type: "date", value: daysAgo(31) },
      { name: "days", label: "For how many days", type: "number", value: "7", min: "1", max: "366" },
    ] });
  if (!said) return;
  try {
    const { days } = await get("/days", { first: said.first, last: said.last, limit: MOST_DAYS });
    const cold = days.filter((/** @type {any} */ day) => day.archived_rows > 0).map((/** @type {any} */ day) => day.day).reverse();
    if (!cold.length) return toast("None of these days is archived", "bad");
    await restoreDays(cold, Number(said.days) * 24);
  } catch (error) {
    toast(/** @type {Error} */ (error).message, "bad");
  }
  again();
}

/** @param {string[]} days @param {number} hours */
async function restoreDays(days, hours) {
  let rows = 0;
  let restored = 0;
  const progress = h("progress", { max: days.length, value: 0, "aria-label": "Restoring" });
  document.getElementById("toasts")?.append(progress);
  try {
    for (const day of days) {
      try {
        rows += (await post(`/days/${day}/restore`, { hours })).rows;
        restored++;
      } catch (error) {
        // Another may be archived and in Postgres still.
        if (/** @type {any} */ (error).status !== 404) throw error;
      }
      progress.value++;
    }
    toast(`${number(restored)} ${restored === 1 ? "day" : "days"} restored, ${number(rows)} events`);
  } catch (error) {
    toast(/** @type {Error} */ (error).message, "bad");
  } finally {
    progress.remove();
  }
}

/** @param {string} day */
async function giveBack(day) {
  try {
    await remove(`/days/${day}/restore`);
    toast(`${day} was given back`);
  } catch (error) {
    toast(/** @type {Error} */ (error).message, "bad");
  }
}
