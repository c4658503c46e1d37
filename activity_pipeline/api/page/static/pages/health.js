/** Ledger and health: what waits, how fast it goes, whether every event is accounted for, and what was refused. */

import { get, post } from "../lib/api.js";
import { modal, toast } from "../lib/dialog.js";
import { button, h } from "../lib/dom.js";
import { compact, cut, duration, number, size, time } from "../lib/format.js";
import { may, session } from "../lib/session.js";
import { empty, every, panel } from "../lib/states.js";
import { table } from "../lib/table.js";
import { figure } from "./metrics.js";

const LOOK_AGAIN_S = 5;

/** @type {{ at: number, inserted: number } | null} */
let before = null;

/** @param {number} inserted Events a second since the last look; null for the first. */
function throughput(inserted) {
  const now = { at: Date.now(), inserted };
  const rate = before && now.at > before.at ? ((now.inserted - before.inserted) * 1000) / (now.at - before.at) : null;
  before = now;
  return rate;
}

/** @param {AbortSignal} signal */
export function healthPage(signal) {
  before = null;
  const health = panel("Now", async () => {
    const [status, ledger] = await Promise.all([get("/status", {}, signal), get("/ledger", {}, signal)]);
    return [figures(status, ledger, throughput(ledger.inserted)), concerns(status)].filter(Boolean);
  });
  every(() => health.refresh(), LOOK_AGAIN_S, signal);
  return h("div", { class: "page" },
    h("div", { class: "page-head" }, h("h1", {}, "Ledger and health"), dagster()),
    health,
    may("admin") ? letters(signal) : null,
    h("div", { class: "columns two" },
      panel("Ledger", async () => equation(await get("/ledger", {}, signal))),
      panel("Producers", async () => producers(await get("/ledger/producers", { limit: 50 }, signal)))));
}

const dagster = () => {
  const root = session()?.dagster_url;
  return root && h("a", { class: "button quiet", href: `${root}/runs`, target: "_blank", rel: "noreferrer" }, "Runs in Dagster");
};

/** @param {any} status @param {any} ledger @param {number | null} rate */
function figures(status, ledger, rate) {
  const streams = status.queue?.streams ?? [];
  const waiting = streams.reduce((/** @type {number} */ sum, /** @type {any} */ each) => sum + each.waiting_events, 0);
  const oldest = Math.max(0, ...streams.map((/** @type {any} */ each) => each.oldest_s));
  return h("div", { class: "figures" },
    figure("Residual", number(ledger.residual), ledger.residual ? "events are not accounted for" : "every event is accounted for", ledger.residual ? "bad" : "good"),
    figure("Waiting", status.queue ? compact(waiting) : "unknown", waiting ? `the oldest for ${duration(oldest)}` : "the queue is empty", status.queue ? "" : "bad"),
    figure("Throughput", rate === null ? "…" : `${compact(rate)}/s`, "stored events, since the last look"),
    figure("Stored", compact(ledger.inserted), `${compact(ledger.duplicate)} came twice`),
    figure("Dead letters", compact(ledger.dead_letters_kept), "open", ledger.dead_letters_kept ? "warn" : ""),
    figure("Redis", status.queue ? size(status.queue.used_bytes) : "away", status.queue?.limit_bytes ? `of ${size(status.queue.limit_bytes)}` : "", status.queue?.is_trusted === false ? "bad" : ""),
    figure("Follower", status.is_followed ? "at work" : "none", status.is_followed ? "" : "Dagster's sensor drains"),
    figure("Stale metrics", status.stale_metrics_days === null ? "unknown" : `${number(status.stale_metrics_days)} days`));
}

/** @param {any} status */
const concerns = (status) =>
  status.queue?.concerns.length ? h("ul", { class: "concerns", role: "alert" }, status.queue.concerns.map((/** @type {string} */ each) => h("li", {}, each))) : null;

/** @param {any} ledger */
function equation(ledger) {
  const rows = /** @type {const} */ ([
    ["Sent by producers", "issued"], ["Sent again", "redelivered"], ["Dropped by producers, by their own word", "dropped"], ["Missing", "missing"],
    ["Received", "received"], ["Stored", "inserted"], ["Known already", "duplicate"], ["Refused", "dead_lettered"],
    ["Now in Postgres", "hot"], ["Late", "late"], ["Now in Parquet alone", "archived"], ["Erased", "erased"],
  ]);
  const off = Object.entries(ledger.differences).filter(([, value]) => value);
  return [
    h("dl", { class: "pairs numbers" }, rows.map(([title, name]) => h("div", { class: "pair" }, h("dt", {}, title), h("dd", { class: "number" }, number(ledger[name]))))),
    off.length ? h("p", { class: "bad" }, off.map(([name, value]) => `${name}: ${value}`).join(", ")) : h("p", { class: "faint small" }, `All ${Object.keys(ledger.differences).length} equations hold.`),
  ];
}

/** @param {any[]} rows */
const producers = (rows) =>
  rows.length
    ? table("Table of producers", [
        { title: "Producer", cell: (row) => cut(row.producer_id || "unnamed", 24) },
        { title: "Received", cell: (row) => number(row.received), number: true },
        { title: "Missing", cell: (row) => number(row.missing), number: true },
        { title: "Dropped", cell: (row) => number(row.dropped), number: true },
        { title: "Last seen", cell: (row) => time(row.last_seen).slice(0, 16) },
      ], rows)
    : empty("No producer yet");

/** @param {AbortSignal} signal */
function letters(signal) {
  /** @param {{ ids?: number[], reasons?: string[] }} which */
  const replay = async (which) => {
    try {
      const done = await post("/dead-letters/replay", which);
      const stay = Object.keys(done.refused).length + done.not_open.length;
      toast(`${number(done.replayed)} replayed: ${number(done.inserted)} new events, ${number(done.duplicate)} known${stay ? `; ${number(stay)} stay open` : ""}`, stay ? "bad" : "good");
    } catch (error) {
      toast(/** @type {Error} */ (error).message, "bad");
    }
    void list.refresh();
  };
  const list = panel("Dead letters", async () => {
    const { items, reasons } = await get("/dead-letters", { limit: 100 }, signal);
    if (!items.length) return empty("None are open", "Every line that came was an event, or has been mended.");
    return [
      h("ul", { class: "chips" }, reasons.map((/** @type {any} */ each) =>
        h("li", { class: "chip" }, h("span", { class: "chip-name" }, each.reason), h("span", { class: "chip-value" }, `${number(each.letters)}: ${each.why}`),
          button("Replay", () => void replay({ reasons: [each.reason] }), { class: "chip-close", "aria-label": `Replay ${each.reason}` })))),
      table("Table of dead letters", [
        { title: "Number", cell: (row) => button(String(row.id), () => void show(row.id), { class: "button link", "aria-label": `Show dead letter ${row.id}` }), number: true },
        { title: "Received", cell: (row) => time(row.received_at).slice(0, 19) },
        { title: "Reason", cell: (row) => row.why },
        { title: "Size", cell: (row) => size(row.size_bytes), number: true },
        { title: "Starts with", cell: (row) => h("code", { title: row.line }, cut(row.line, 80)), wide: true },
        { title: "Again", cell: (row) => button("Replay", () => void replay({ ids: [row.id] }), { "aria-label": `Replay dead letter ${row.id}` }) },
      ], items),
    ];
  }, { tools: [button("Replay all", () => void replay({}))] });
  return list;
}

/** @param {number} id */
async function show(id) {
  try {
    const letter = await get(`/dead-letters/${id}`);
    modal(`Dead letter ${id}`, h("div", {}, h("p", {}, `${letter.reason}: ${letter.why}`), h("pre", { tabindex: "0" }, letter.line)));
  } catch (error) {
    toast(/** @type {Error} */ (error).message, "bad");
  }
}
