/** The page of events: what is looked for, how much there is over time, the list, and one event beside it. */

import { isAbort } from "../lib/api.js";
import { button, debounced, fill, h } from "../lib/dom.js";
import { takeKeys } from "../lib/keys.js";
import { menu } from "../lib/menu.js";
import { onPreferred } from "../lib/preferences.js";
import { go } from "../lib/router.js";
import { empty, failed, loading } from "../lib/states.js";
import { hideDrawer, showDrawer } from "./drawer.js";
import { filterForm, filtersOf, showChips } from "./filters.js";
import { Grid } from "./grid.js";
import { showHistogram } from "./histogram.js";
import { Live } from "./live.js";
import { Pages } from "./pages.js";
import { askForCount, askForPage, exportAddress, incompleteness, suggest } from "./questions.js";
import { viewsMenu } from "./views.js";

const SEARCH_MS = 300;

export class ActivityView {
  /** @param {AbortSignal} signal Ends with the page. */
  constructor(signal) {
    this.signal = signal;
    /** @type {import("./filters.js").Filters} */
    this.filters = {};
    this.asking = new AbortController();
    this.search = h("input", { class: "input search", type: "search", placeholder: "Search action and description  ( / )", "aria-label": "Search", autocomplete: "off",
      oninput: debounced(() => this.change({ text: this.search.value.trim() }), SEARCH_MS) });
    this.chips = h("div", { class: "chips" });
    this.histogram = h("div", { class: "histogram" });
    this.summary = h("span", { class: "summary", role: "status" });
    this.order = button("Newest first", () => this.change({ order: this.filters.order === "oldest" ? "" : "oldest" }), { class: "button quiet" });
    this.liveButton = button("Live", () => this.toggleLive(), { "aria-pressed": "false" });
    this.pauseButton = button("Pause", () => this.live.pause(), { hidden: true });
    this.drawer = h("aside", { class: "drawer", hidden: true, "aria-label": "Details" });
    this.grid = new Grid((event) => showDrawer(this.drawer, event, () => this.closeDrawer()));
    this.live = new Live((events) => this.prepend(events), () => this.showLive());
    this.element = h("div", { class: "activity" },
      h("h1", { class: "unseen" }, "Activity"),
      h("div", { class: "bar-row" }, this.search,
        menu("Filter", () => [filterForm((changes) => this.change(changes), suggest)]),
        menu("Views", (close) => viewsMenu(() => this.filters, close)),
        menu("Export", (close) => this.exports(close)), this.liveButton, this.pauseButton),
      this.chips, this.histogram,
      h("div", { class: "bar-row tight" }, this.summary, this.order),
      h("div", { class: "split" }, this.grid.place, this.drawer));
    this.takeKeys();
    onPreferred("utc", () => { this.grid.later(); showChips(this.chips, this.filters, (changes) => this.change(changes)); }, signal);
    signal.addEventListener("abort", () => {
      this.live.stop();
      this.asking.abort();
      this.grid.pages?.close();
    });
  }

  takeKeys() {
    const page = () => Math.max(1, this.grid.viewRows - 2);
    takeKeys([
      { keys: ["j", "ArrowDown"], what: "Next event", run: () => this.step(1) },
      { keys: ["k", "ArrowUp"], what: "Event before", run: () => this.step(-1) },
      { keys: ["PageDown"], what: "A screen down", run: () => this.step(page()) },
      { keys: ["PageUp"], what: "A screen up", run: () => this.step(-page()) },
      { keys: ["Home", "g"], what: "First event", run: () => this.grid.choose(0) },
      { keys: ["Enter", "o"], what: "Open the event", run: () => this.grid.choose(this.grid.selected, true) },
      { keys: ["Escape"], what: "Close what is open", anywhere: true, run: () => this.escape() },
      { keys: ["/"], what: "Search", run: () => this.search.focus() },
      { keys: ["l"], what: "Live, on and off", run: () => this.toggleLive() },
      { keys: ["p"], what: "Pause what is live", run: () => this.live.isOn && this.live.pause() },
    ], this.signal);
  }

  /** @param {number} rows */
  step(rows) {
    this.grid.move(rows);
    const event = this.grid.pages?.row(this.grid.selected);
    if (!this.drawer.hidden && event) showDrawer(this.drawer, event, () => this.closeDrawer());
  }

  escape() {
    if (!this.drawer.hidden) this.closeDrawer();
    else if (document.activeElement === this.search) this.grid.element.focus();
  }

  closeDrawer() {
    hideDrawer(this.drawer);
    this.grid.element.focus();
  }

  /** @param {Record<string, string>} changes Filters, empty for none; the address has them then. */
  change(changes) {
    go("activity", { ...this.filters, ...changes });
  }

  /** @param {Record<string, string>} parameters Of the address. */
  show(parameters) {
    this.filters = filtersOf(parameters);
    if (document.activeElement !== this.search) this.search.value = this.filters.text ?? "";
    this.order.textContent = this.filters.order === "oldest" ? "Oldest first" : "Newest first";
    showChips(this.chips, this.filters, (changes) => this.change(changes));
    this.load();
    if (this.live.isOn) this.live.start(this.filters);
  }

  load() {
    this.asking.abort();
    this.asking = new AbortController();
    const filters = this.filters;
    this.grid.cover(loading("Looking"));
    const pages = new Pages((cursor, signal) => askForPage(filters, cursor, signal), (error) => this.changed(error));
    this.grid.show(pages);
    const { signal } = this.asking;
    askForCount(filters, signal).then((total) => { pages.total = total; this.summarize(); }, () => {});
    showHistogram(this.histogram, filters, (since, until) => this.change({ since, until }), signal)
      .catch((error) => isAbort(error) || fill(this.histogram, h("p", { class: "faint small" }, `No histogram: ${error.message}`)));
  }

  /** @param {unknown} error */
  changed(error) {
    if (error) return this.grid.cover(failed(error, () => this.load()));
    const nothing = this.grid.pages?.count === 0;
    this.grid.cover(nothing && empty("Nothing fits", "Take a filter away, or look at another time."));
    this.summarize();
    this.grid.later();
  }

  summarize() {
    if (!this.grid.pages?.first) return;
    const missing = incompleteness(this.grid.pages.first.completeness);
    fill(this.summary, this.grid.summary, missing && h("span", { class: "warn" }, ` (${missing})`));
  }

  /** @param {import("./pages.js").ActivityEvent[]} events */
  prepend(events) {
    if (!this.grid.pages?.first || this.filters.order === "oldest") return;
    if (this.grid.pages.isFull) return this.load();
    this.grid.shift(this.grid.pages.prepend(events));
    this.changed(undefined);
  }

  toggleLive() {
    if (this.live.isOn) this.live.stop();
    else {
      if (this.filters.order === "oldest" || this.filters.until) this.change({ order: "", until: "" });
      this.live.start(this.filters);
    }
  }

  showLive() {
    const { isOn, isPaused, isConnected, waiting } = this.live;
    this.liveButton.setAttribute("aria-pressed", String(isOn));
    this.liveButton.textContent = isOn && !isConnected ? "Connecting…" : "Live";
    this.pauseButton.hidden = !isOn;
    this.pauseButton.textContent = isPaused ? `Go on (${waiting.length} new)` : "Pause";
  }

  /** @param {() => void} close */
  exports(close) {
    return [
      h("p", { class: "faint small" }, "All that is filtered, as a file"),
      .../** @type {const} */ (["csv", "ndjson", "parquet"]).map((format) =>
        h("a", { class: "button quiet", href: exportAddress(this.filters, format), download: `activities.${format}`, onclick: close }, format.toUpperCase())),
    ];
  }
}
