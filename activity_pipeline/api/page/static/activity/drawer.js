/** One event with all it holds, and what else happened to the same thing and by the same person. */

import { get, isAbort } from "../lib/api.js";
import { button, fill, h } from "../lib/dom.js";
import { toast } from "../lib/dialog.js";
import { ago, time } from "../lib/format.js";
import { link } from "../lib/router.js";
import { empty, failed, loading } from "../lib/states.js";
import { isFailure } from "./grid.js";

/** @typedef {import("./pages.js").ActivityEvent} ActivityEvent */

const HISTORY = 10;
let aborting = new AbortController();

/** @param {unknown} value */
const kindOf = (value) => (value === null ? "null" : typeof value);

/**
 * JSON as elements: nested, each value in the colour of its kind.
 * @param {unknown} value
 * @returns {Node}
 */
export function pretty(value) {
  if (value === null || typeof value !== "object") return h("span", { class: `json-${kindOf(value)}` }, JSON.stringify(value));
  const pairs = Object.entries(value);
  if (!pairs.length) return h("span", {}, Array.isArray(value) ? "[]" : "{}");
  return h("ul", { class: "json" }, pairs.map(([name, each]) =>
    h("li", {}, h("span", { class: "json-name" }, `${name}: `), pretty(each))));
}

/** @param {string} title @param {any} value @param {string} [href] */
const fact = (title, value, href) =>
  value ? h("div", { class: "pair" }, h("dt", {}, title), h("dd", {}, href ? h("a", { href }, value) : value)) : null;

/**
 * @param {HTMLElement} place
 * @param {ActivityEvent} event
 * @param {() => void} close
 */
export function showDrawer(place, event, close) {
  aborting.abort();
  aborting = new AbortController();
  const { signal } = aborting;
  const history = h("div", {});
  const at = { since: event.timestamp };
  place.hidden = false;
  fill(place,
    h("div", { class: "drawer-head" },
      h("h2", {}, event.action),
      h("span", { class: isFailure(event.status) ? "badge bad" : "badge" }, event.status),
      button("×", close, { class: "button quiet", "aria-label": "Close", title: "Close (Esc)" })),
    h("div", { class: "drawer-body", tabindex: "0", role: "region", "aria-label": "The event" },
      h("dl", { class: "pairs" },
        fact("Time", `${time(event.timestamp)} (${ago(event.timestamp)})`),
        fact("UTC", new Date(event.timestamp).toISOString()),
        fact("Source", event.source, link("activity", { source: event.source })),
        fact("Entity", [event.entity_type, event.entity_id].filter(Boolean).join(" "),
          link("activity", { entity_type: event.entity_type, entity_id: event.entity_id })),
        fact("User", event.user_id, link("activity", { user_id: event.user_id })),
        fact("Id", event.id)),
      h("div", { class: "actions start" },
        button("Copy as JSON", () => void copy(JSON.stringify(event, null, 2))),
        h("a", { class: "button", href: link("activity", { until: new Date(Date.parse(at.since) + 60_000).toISOString(), source: event.source }) }, "Around this time")),
      h("h3", {}, "Metadata"),
      event.metadata ? pretty(event.metadata) : h("p", { class: "faint" }, "None"),
      h("h3", {}, "History"), history));
  void showHistory(history, event, signal);
}

/** @param {string} text */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast("Copied");
  } catch {
    toast("This browser does not let a page copy", "bad");
  }
}

/**
 * @param {HTMLElement} place
 * @param {ActivityEvent} event
 * @param {AbortSignal} signal
 */
async function showHistory(place, event, signal) {
  if (!event.entity_id && !event.user_id) return fill(place, h("p", { class: "faint" }, "It has neither entity nor user."));
  fill(place, loading("Looking"));
  try {
    const near = await get(`/activities/${event.id}/neighbours`, { timestamp: event.timestamp, limit: HISTORY }, signal);
    const shown = [timeline("The same entity", near.entity, event), timeline("The same user", near.user, event)].flat();
    fill(place, shown.length ? shown : empty("Nothing else happened to it, or by this user, in the 30 days around."));
  } catch (error) {
    if (!isAbort(error)) fill(place, failed(error, () => void showHistory(place, event, signal)));
  }
}

/**
 * What happened after and before, newest first.
 * @param {string} title
 * @param {{ before: ActivityEvent[], after: ActivityEvent[] } | null} around
 * @param {ActivityEvent} event
 */
const timeline = (title, around, event) =>
  around && around.before.length + around.after.length
    ? [h("h4", {}, title), h("ol", { class: "timeline" }, [...around.before, event, ...around.after].reverse().map((each) =>
        h("li", { class: [isFailure(each.status) && "bad", each.id === event.id && "this"].filter(Boolean).join(" ") || null },
          h("time", { datetime: each.timestamp, title: ago(each.timestamp) }, time(each.timestamp).slice(0, 19)),
          h("span", {}, each.action), h("span", { class: "faint" }, each.status))))]
    : [];

/** @param {HTMLElement} place */
export function hideDrawer(place) {
  aborting.abort();
  place.hidden = true;
  fill(place);
}
