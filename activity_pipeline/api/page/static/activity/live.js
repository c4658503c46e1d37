/** What comes in now, as the service sends it; whoever pauses loses nothing. */

import { address } from "../lib/api.js";
import { parametersOf } from "./questions.js";

/** @typedef {import("./pages.js").ActivityEvent} ActivityEvent */

const TOGETHER_MS = 200;
const MOST_WAITING = 2000;

export class Live {
  /**
   * @param {(events: ActivityEvent[]) => void} show Newest first.
   * @param {() => void} changed Called when its state is another one.
   */
  constructor(show, changed) {
    this.show = show;
    this.changed = changed;
    /** @type {EventSource | null} */
    this.source = null;
    /** @type {ActivityEvent[]} */
    this.waiting = [];
    this.isPaused = false;
    this.isConnected = false;
    this.timer = 0;
  }

  get isOn() {
    return this.source !== null;
  }

  /** @param {import("./filters.js").Filters} filters */
  start(filters) {
    this.stop();
    const { since, until, order, ...others } = filters;
    // The browser connects again by itself, and says the last id that it has seen.
    this.source = new EventSource(`${address("/live")}?${parametersOf(others)}`);
    const take = (/** @type {MessageEvent} */ message) => this.take(JSON.parse(message.data));
    this.source.onmessage = take;
    for (const name of ["activity", "event"]) this.source.addEventListener(name, take);
    this.source.onopen = () => this.connected(true);
    this.source.onerror = () => this.connected(false);
    this.changed();
  }

  /** @param {boolean} is */
  connected(is) {
    this.isConnected = is;
    this.changed();
  }

  /** @param {ActivityEvent} event */
  take(event) {
    this.waiting.unshift(event);
    this.waiting.length = Math.min(this.waiting.length, MOST_WAITING);
    this.timer ||= setTimeout(() => this.flush(), TOGETHER_MS);
  }

  flush() {
    this.timer = 0;
    if (!this.isPaused && this.waiting.length) this.show(this.waiting.splice(0));
    this.changed();
  }

  pause() {
    this.isPaused = !this.isPaused;
    this.flush();
  }

  stop() {
    this.source?.close();
    this.source = null;
    this.waiting = [];
    this.isPaused = this.isConnected = false;
    clearTimeout(this.timer);
    this.timer = 0;
    this.changed();
  }
}
