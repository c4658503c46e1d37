/**
 * The rows of a list that may have millions: pages by cursor, of which a few are kept.
 *
 * A page can be asked for once the one before has said where it begins; from then on it can be asked for
 * again. So the list grows as it is scrolled, and what was scrolled past is forgotten and found again.
 */

export const PAGE_ROWS = 200;
const KEPT_PAGES = 30;
const MOST_LIVE = 2000;

/**
 * @typedef {{ id: string, timestamp: string, source: string, action: string, status: string,
 *   entity_type?: string, entity_id?: string, user_id?: string, metadata?: any }} ActivityEvent
 * @typedef {{ events: ActivityEvent[], next: string | null, completeness: any }} Answer
 */

export class Pages {
  /**
   * @param {(cursor: string | null, signal: AbortSignal) => Promise<Answer>} fetchPage
   * @param {(error?: unknown) => void} changed Called when there is more to show, or an error.
   */
  constructor(fetchPage, changed) {
    this.fetchPage = fetchPage;
    this.changed = changed;
    this.aborting = new AbortController();
    /** @type {(string | null)[]} Where each page begins. */
    this.cursors = [null];
    /** @type {Map<number, ActivityEvent[]>} By number, the one used last at the end. */
    this.kept = new Map();
    /** @type {Set<number>} */
    this.asked = new Set();
    /** @type {ActivityEvent[]} Newer than the first page, newest first. */
    this.live = [];
    /** @type {Set<string>} */
    this.liveIds = new Set();
    /** @type {number | null} Rows of all pages, once the last one is known. */
    this.length = null;
    /** @type {Answer | null} */
    this.first = null;
    /** @type {{ value: number, relation: "eq" | "gte" } | null} How many there are besides the live ones, once that is told. */
    this.total = null;
  }

  /** How many rows there are to scroll through now. */
  get count() {
    return this.live.length + (this.length ?? this.cursors.length * PAGE_ROWS);
  }

  /** Whether that is all of them. */
  get isComplete() {
    return this.length !== null;
  }

  /** How many rows were found so far. */
  get found() {
    return this.live.length + (this.length ?? (this.cursors.length - 1) * PAGE_ROWS);
  }

  /**
   * @param {number} index
   * @returns {ActivityEvent | undefined} Undefined while it is on its way.
   */
  row(index) {
    if (index < this.live.length) return this.live[index];
    const place = index - this.live.length;
    return this.kept.get(Math.floor(place / PAGE_ROWS))?.[place % PAGE_ROWS];
  }

  /**
   * Have rows at hand, and the page after them.
   * @param {number} from
   * @param {number} to
   */
  want(from, to) {
    const first = Math.max(0, Math.floor((from - this.live.length) / PAGE_ROWS));
    const last = Math.max(0, Math.floor((to - this.live.length) / PAGE_ROWS)) + 1;
    for (let page = first; page <= last; page++) {
      const rows = this.kept.get(page);
      if (rows) {
        this.kept.delete(page);
        this.kept.set(page, rows);
      } else if (page < this.cursors.length) void this.load(page);
    }
  }

  /** @param {number} page */
  async load(page) {
    if (this.asked.has(page) || this.aborting.signal.aborted) return;
    if (this.length !== null && page * PAGE_ROWS >= this.length) return;
    this.asked.add(page);
    try {
      const answer = await this.fetchPage(this.cursors[page], this.aborting.signal);
      if (this.aborting.signal.aborted) return;
      this.keep(page, answer);
      this.changed();
    } catch (error) {
      if (!this.aborting.signal.aborted) this.changed(error);
    } finally {
      this.asked.delete(page);
    }
  }

  /**
   * @param {number} page
   * @param {Answer} answer
   */
  keep(page, answer) {
    if (page === 0) this.first ??= answer;
    this.kept.set(page, answer.events);
    if (page === this.cursors.length - 1) {
      if (answer.next && answer.events.length === PAGE_ROWS) this.cursors.push(answer.next);
      else this.length = page * PAGE_ROWS + answer.events.length;
    }
    for (const oldest of this.kept.keys()) {
      if (this.kept.size <= KEPT_PAGES) break;
      // The first one alone would be another one when it is asked for again: it begins with what is newest.
      if (oldest) this.kept.delete(oldest);
    }
  }

  /**
   * Put events before all others; returns how many were new. They are shown for the first time.
   * @param {ActivityEvent[]} events Newest first.
   */
  prepend(events) {
    const known = new Set(this.kept.get(0)?.map((each) => each.id));
    const fresh = events.filter((each) => !this.liveIds.has(each.id) && !known.has(each.id));
    for (const each of fresh) this.liveIds.add(each.id);
    this.live = [...fresh, ...this.live];
    return fresh.length;
  }

  /** Whether so many came in that it is better to begin anew. */
  get isFull() {
    return this.live.length > MOST_LIVE;
  }

  /** Ask for nothing more. */
  close() {
    this.aborting.abort();
  }
}
