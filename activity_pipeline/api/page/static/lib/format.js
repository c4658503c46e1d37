/** Numbers and times as a person reads them. */

import { inUtc } from "./preferences.js";

const whole = new Intl.NumberFormat("en");
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

/** @param {number} value */
export const number = (value) => whole.format(value);

/** @param {number} value 12.3K */
export const compact = (value) => short.format(value);

/** @param {number} bytes */
export function size(bytes) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let step = 0;
  for (; bytes >= 1024 && step < units.length - 1; step++) bytes /= 1024;
  return `${step && bytes < 100 ? bytes.toFixed(1) : Math.round(bytes)} ${units[step]}`;
}

/** @param {number} seconds */
export function duration(seconds) {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86400)} d`;
}

/** @param {number} share */
export const percent = (share) => `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;

/** @param {number} value @param {number} [digits] */
const padded = (value, digits = 2) => String(value).padStart(digits, "0");

/**
 * The parts of an instant, in the zone that is preferred. Much quicker than Intl, and thousands are shown.
 * @param {Date} at
 */
function parts(at) {
  return inUtc()
    ? [at.getUTCFullYear(), at.getUTCMonth() + 1, at.getUTCDate(), at.getUTCHours(), at.getUTCMinutes(), at.getUTCSeconds()]
    : [at.getFullYear(), at.getMonth() + 1, at.getDate(), at.getHours(), at.getMinutes(), at.getSeconds()];
}

/** @param {string | number} instant 2026-03-01 09:05:07.123 */
export function time(instant) {
  const at = new Date(instant);
  const [year, month, day, hour, minute, second] = parts(at);
  return `${year}-${padded(month)}-${padded(day)} ${padded(hour)}:${padded(minute)}:${padded(second)}.${padded(at.getUTCMilliseconds(), 3)}`;
}

/** @param {string | number} instant 03-01 09:05 */
export const shortTime = (instant) => time(instant).slice(5, 16);

/** The name of the zone in which times are shown. */
export const zone = () => (inUtc() ? "UTC" : Intl.DateTimeFormat().resolvedOptions().timeZone || "local");

/** @param {string | number} instant How long ago. */
export function ago(instant) {
  const seconds = (Date.now() - new Date(instant).getTime()) / 1000;
  return seconds < 0 ? `in ${duration(-seconds)}` : `${duration(seconds)} ago`;
}

/** @param {number | Date} at The UTC day of an instant. */
export const utcDay = (at) => new Date(at).toISOString().slice(0, 10);

export const DAY_MS = 86_400_000;

/** @param {number} back The UTC day so many days ago. */
export const daysAgo = (back) => utcDay(Date.now() - back * DAY_MS);

/** @param {string} text @param {number} most */
export const cut = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
