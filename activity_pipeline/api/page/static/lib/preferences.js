/** What a person prefers, kept in this browser. */

const PREFIX = "activity.";
const CHANGED = "preferences";
const events = new EventTarget();

/**
 * @template T
 * @param {string} name
 * @param {T} otherwise
 * @returns {T}
 */
export function preferred(name, otherwise) {
  try {
    const kept = localStorage.getItem(PREFIX + name);
    return kept === null ? otherwise : JSON.parse(kept);
  } catch {
    return otherwise; // storage may be forbidden, or hold what somebody else wrote
  }
}

/**
 * @param {string} name
 * @param {unknown} value
 */
export function prefer(name, value) {
  try {
    localStorage.setItem(PREFIX + name, JSON.stringify(value));
  } catch {
    // Then it is forgotten with the tab.
  }
  events.dispatchEvent(new CustomEvent(CHANGED, { detail: name }));
}

/**
 * @param {string} name
 * @param {() => void} listener
 * @param {AbortSignal} [signal]
 */
export function onPreferred(name, listener, signal) {
  const heard = (/** @type {any} */ event) => event.detail === name && listener();
  events.addEventListener(CHANGED, heard, { signal });
}

const THEMES = /** @type {const} */ (["system", "light", "dark"]);

/** Dress the page as is preferred. */
export function applyTheme() {
  const theme = preferred("theme", "system");
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

/** Go on to the next theme; returns it. */
export function nextTheme() {
  const next = THEMES[(THEMES.indexOf(preferred("theme", "system")) + 1) % THEMES.length];
  prefer("theme", next);
  applyTheme();
  return next;
}

/** Whether times are shown in UTC; else in the browser's zone. */
export const inUtc = () => preferred("utc", false);
