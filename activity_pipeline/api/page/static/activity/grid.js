/**
 * The list of events. Only the rows in sight are in the document: a few elements that are moved and
 * filled anew as one scrolls, whatever the list's length.
 */

import { fill, h } from "../lib/dom.js";
import { cut, number, time } from "../lib/format.js";

export const ROW_PX = 28;
const BEYOND_ROWS = 8;
/** Browsers place nothing further down than about 16 million pixels; what is longer is scrolled in larger steps. */
const TALLEST_PX = 8_000_000;

/** @typedef {import("./pages.js").ActivityEvent} ActivityEvent @typedef {import("./pages.js").Pages} Pages */

const COLUMNS = ["time", "source", "action", "status", "entity", "user", "metadata"];
const TITLES = ["Time", "Source", "Action", "Status", "Entity", "User", "Metadata"];
/** Statuses that mean failure, as the service counts them (events/model.py). */
export const FAILURES = new Set(["failure", "failed", "error", "denied", "timeout", "rejected"]);

/** @param {string} status */
export const isFailure = (status) => FAILURES.has(status.toLowerCase());

/** @param {ActivityEvent} event */
const texts = (event) => [
  time(event.timestamp),
  event.source,
  event.action,
  event.status,
  [event.entity_type, event.entity_id].filter(Boolean).join(" "),
  event.user_id ? event.user_id.slice(0, 8) : "",
  event.metadata ? cut(JSON.stringify(event.metadata), 200) : "",
];

export class Grid {
  /** @param {(event: ActivityEvent) => void} open What to do with the row that is chosen. */
  constructor(open) {
    this.open = open;
    /** @type {Pages | null} */
    this.pages = null;
    this.selected = -1;
    /** @type {HTMLElement[]} */
    this.rows = [];
    this.frame = 0;
    this.body = h("div", { class: "grid-space", role: "rowgroup" });
    this.head = h("div", { class: "grid-head", role: "rowgroup" },
      h("div", { class: "grid-row", role: "row", "aria-rowindex": "1" },
        TITLES.map((title, place) => h("div", { class: `cell ${COLUMNS[place]}`, role: "columnheader" }, title))));
    this.overlay = h("div", { class: "grid-overlay" });
    this.element = h("div", {
      class: "grid", role: "grid", tabindex: "0", "aria-label": "Events", "aria-colcount": COLUMNS.length,
      onscroll: () => this.later(), onclick: (/** @type {MouseEvent} */ event) => this.click(event),
    }, this.head, this.body);
    this.place = h("div", { class: "grid-place" }, this.element, this.overlay);
    new ResizeObserver(() => this.later()).observe(this.element);
  }

  /** @param {Pages} pages */
  show(pages) {
    this.pages?.close();
    this.pages = pages;
    this.selected = -1;
    this.element.scrollTop = 0;
    this.later();
  }

  /** @param {...any} children What covers the list; nothing for the list. */
  cover(...children) {
    fill(this.overlay, ...children);
  }

  /** Draw before the next frame. */
  later() {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.draw();
    });
  }

  get viewRows() {
    return Math.ceil(this.element.clientHeight / ROW_PX);
  }

  /** How many pixels of the list one pixel of scrolling is. */
  get scale() {
    const tall = (this.pages?.count ?? 0) * ROW_PX;
    const view = this.element.clientHeight - ROW_PX;
    return tall > TALLEST_PX ? (tall - view) / (TALLEST_PX - view) : 1;
  }

  draw() {
    const pages = this.pages;
    if (!pages) return;
    const { scale, viewRows } = this;
    const top = this.element.scrollTop * scale;
    const first = Math.max(0, Math.floor(top / ROW_PX) - BEYOND_ROWS);
    const last = Math.min(pages.count, first + viewRows + 2 * BEYOND_ROWS);
    pages.want(first, last);
    this.body.style.height = `${Math.min(pages.count * ROW_PX, TALLEST_PX)}px`;
    this.element.setAttribute("aria-rowcount", pages.isComplete ? String(pages.count + 1) : "-1");
    while (this.rows.length < last - first) this.rows.push(this.body.appendChild(makeRow()));
    while (this.rows.length > last - first) this.rows.pop()?.remove();
    const shift = this.element.scrollTop - top;
    this.rows.forEach((row, place) => fillRow(row, first + place, shift, pages.row(first + place), this.selected));
    this.element.setAttribute("aria-activedescendant", this.selected >= first && this.selected < last ? `row-${this.selected}` : "");
  }

  /** @param {MouseEvent} event */
  click(event) {
    const row = /** @type {HTMLElement} */ (event.target).closest("[data-index]");
    if (row) this.choose(Number(/** @type {HTMLElement} */ (row).dataset.index), true);
  }

  /**
   * @param {number} index
   * @param {boolean} [opening]
   */
  choose(index, opening = false) {
    if (!this.pages?.count) return;
    this.selected = Math.max(0, Math.min(index, this.pages.count - 1));
    this.reveal(this.selected);
    this.draw();
    const event = this.pages.row(this.selected);
    if (opening && event) this.open(event);
  }

  /** @param {number} rows */
  move(rows) {
    this.choose(this.selected < 0 ? 0 : this.selected + rows);
  }

  /** @param {number} index */
  reveal(index) {
    const { scale } = this;
    const view = this.element.clientHeight - this.head.offsetHeight;
    const top = this.element.scrollTop * scale;
    if (index * ROW_PX < top) this.element.scrollTop = (index * ROW_PX) / scale;
    else if ((index + 1) * ROW_PX > top + view) this.element.scrollTop = ((index + 1) * ROW_PX - view) / scale;
  }

  /**
   * Make room for rows that came before the others; who has scrolled down keeps what he looks at.
   * @param {number} rows
   */
  shift(rows) {
    if (this.selected >= 0) this.selected += rows;
    if (this.element.scrollTop > 0) this.element.scrollTop += (rows * ROW_PX) / this.scale;
    this.later();
  }

  get summary() {
    const pages = this.pages;
    if (!pages) return "";
    if (pages.isComplete) return `${number(pages.count)} ${pages.count === 1 ? "event" : "events"}`;
    const counted = pages.total ? pages.total.value + pages.live.length : 0;
    const exact = pages.total?.relation === "eq";
    return `${exact ? "" : "more than "}${number(exact ? counted : Math.max(counted, pages.found))} events`;
  }
}

function makeRow() {
  return h("div", { class: "grid-row", role: "row" }, COLUMNS.map((name) =>
    h("div", { class: `cell ${name}`, role: "gridcell" },
      name === "time" && [h("span", { class: "detail" }), h("span"), h("span", { class: "detail" })])));
}

/**
 * @param {HTMLElement} row
 * @param {number} index
 * @param {number} shift
 * @param {ActivityEvent | undefined} event
 * @param {number} selected
 */
function fillRow(row, index, shift, event, selected) {
  row.style.transform = `translateY(${index * ROW_PX + shift}px)`;
  row.classList.toggle("selected", index === selected);
  row.classList.toggle("waiting", !event);
  row.classList.toggle("failure", !!event && isFailure(event.status));
  const key = event ? `${index} ${event.id}` : "";
  row.id = `row-${index}`;
  row.dataset.index = String(index);
  row.setAttribute("aria-rowindex", String(index + 2));
  row.setAttribute("aria-selected", String(index === selected));
  const zone = event ? time(event.timestamp) : "";
  // Most of a frame is text that is as it was.
  if (row.dataset.key === key && row.firstElementChild?.textContent === zone) return;
  row.dataset.key = key;
  const written = event ? texts(event) : COLUMNS.map(() => "");
  for (let place = 1; place < written.length; place++) row.children[place].textContent = written[place];
  // Where there is little room, the year and what is below a second are not shown.
  [zone.slice(0, 5), zone.slice(5, 19), zone.slice(19)].forEach((part, place) => (row.children[0].children[place].textContent = part));
}
