/** The way off the audit triggers: phases, the parity of tables and days, what bypasses the service calls. */

import { get } from "../lib/api.js";
import { h } from "../lib/dom.js";
import { compact, counted, number, time } from "../lib/format.js";
import { empty, every, panel } from "../lib/states.js";
import { table } from "../lib/table.js";
import { figure } from "./metrics.js";

const LOOK_AGAIN_S = 30;

/** @typedef {{ matched: number, missing: number, extra: number, different: number }} Parity */

/** @param {AbortSignal} signal */
export function legacyPage(signal) {
  const all = panel("Now", async () => {
    const seen = await get("/legacy", {}, signal);
    return [figures(seen), undecided(seen.undecided), drift(seen.drift), phases(seen.phases), days(seen.days), tables(seen.tables)].filter(Boolean);
  });
  every(() => all.refresh(), LOOK_AGAIN_S, signal);
  return h("div", { class: "page" }, h("div", { class: "page-head" }, h("h1", {}, "Audit triggers")), all);
}

/** @param {any} seen */
function figures(seen) {
  const gone = seen.phases.reduce((/** @type {number} */ sum, /** @type {any} */ each) => sum + each.dropped, 0);
  const bypassed = seen.tables.reduce((/** @type {number} */ sum, /** @type {any} */ each) => sum + each.bypassed, 0);
  const compared = seen.tables.filter((/** @type {any} */ each) => each.parity);
  const off = compared.filter((/** @type {any} */ each) => wrong(each.parity)).length;
  const isDone = seen.phase > seen.phases.length;
  return h("div", { class: "figures" },
    figure("Phase", isDone ? "done" : `${seen.phase} of ${seen.phases.length}`, isDone ? "" : seen.phases[seen.phase - 1].name),
    figure("Triggers left", number(seen.left), `${number(gone)} are gone`),
    compared.length
      ? figure("Parity", off ? counted(off, "table") : "full", `${off ? "other than their events, " : ""}${seen.first} to ${seen.last}`, off ? "bad" : "good")
      : figure("Parity", "unknown", "nothing was compared"),
    figure("Bypassed", compact(bypassed), "rows of the last day that no event tells of", bypassed ? "bad" : "good"),
    figure("Saved", seen.saved_ms === null ? "unknown" : `${seen.saved_ms.toFixed(3)} ms`, "a changed row"));
}

/** @param {Parity} parity */
const wrong = (parity) => parity.missing + parity.extra + parity.different;

/** @param {any} row */
const trouble = (row) => row.bypassed + (row.parity ? wrong(row.parity) : 0);

/** @param {string[]} names */
const undecided = (names) =>
  names.length ? h("p", { class: "concerns" }, `Until a person says what they are, these stay: ${names.join(", ")}`) : null;

/** @type {[string, string][]} */
const DRIFTS = [["new", "audit, and are in no phase"], ["changed", "are not as they were planned"], ["gone", "went without a cutover"]];

/** What the plan does not know of. @param {Record<string, string[]> | null} found */
const drift = (found) => {
  const said = DRIFTS.filter(([kind]) => found?.[kind]?.length).map(([kind, what]) => `${found?.[kind].join(", ")} ${what}`);
  return said.length ? h("p", { class: "concerns" }, `Since the plan was made: ${said.join("; ")}. Plan anew.`) : null;
};

/** @param {any[]} rows */
const phases = (rows) =>
  table("Table of phases", [
    { title: "Phase", cell: (row) => `${row.number} ${row.name}` },
    { title: "State", cell: (row) => row.state },
    { title: "Gone", cell: (row) => number(row.dropped), number: true },
    { title: "Left", cell: (row) => number(row.left), number: true },
    { title: "Last went", cell: (row) => (row.last_at ? time(row.last_at).slice(0, 16) : "") },
  ], rows);

/** @type {[string, keyof Parity][]} */
const KINDS = [["Matched", "matched"], ["Missing", "missing"], ["Extra", "extra"], ["Different", "different"]];

/** What is wrong comes first. @param {any[]} rows */
const tables = (rows) =>
  rows.length
    ? table("Table of tables", [
        { title: "Table", cell: (row) => row.table_name },
        { title: "Left", cell: (row) => number(row.left), number: true },
        { title: "Gone", cell: (row) => number(row.dropped), number: true },
        ...KINDS.map(([title, name]) => ({ title, cell: (/** @type {any} */ row) => (row.parity ? number(row.parity[name]) : ""), number: true })),
        { title: "Bypassed", cell: (row) => number(row.bypassed), number: true },
      ], rows.toSorted((one, other) => trouble(other) - trouble(one)))
    : empty("No table has audit triggers");

/** @param {any[]} rows */
const days = (rows) =>
  rows.length
    ? table("Table of days", [
        { title: "Day", cell: (row) => row.day },
        ...KINDS.map(([title, name]) => ({ title, cell: (/** @type {any} */ row) => number(row[name]), number: true })),
      ], rows)
    : empty("Nothing was compared yet", "activity-pipeline legacy compare, or the asset legacy/parity, does.");
