/** The keyboard: each page names its keys, `?` lists them. */

import { h } from "./dom.js";
import { modal } from "./dialog.js";

/** @typedef {{ keys: string[], what: string, run: (event: KeyboardEvent) => void, anywhere?: boolean }} Shortcut */

/** @type {Set<Shortcut>} */
const shortcuts = new Set();

/**
 * Take keys until the signal says no longer.
 * @param {Shortcut[]} taken
 * @param {AbortSignal} [signal]
 */
export function takeKeys(taken, signal) {
  for (const each of taken) shortcuts.add(each);
  signal?.addEventListener("abort", () => taken.forEach((each) => shortcuts.delete(each)));
}

/** @param {EventTarget | null} target */
const isTyping = (target) =>
  target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));

/** @param {KeyboardEvent} event */
function press(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  for (const shortcut of shortcuts) {
    if (!shortcut.keys.includes(event.key) || (isTyping(event.target) && !shortcut.anywhere)) continue;
    // A button or link that has the focus takes its own Enter and space.
    if (event.key === "Enter" && event.target instanceof HTMLElement && event.target.closest("button, a, summary")) continue;
    event.preventDefault();
    shortcut.run(event);
    return;
  }
}

const NAMES = { ArrowDown: "↓", ArrowUp: "↑", Escape: "Esc", Enter: "Enter", PageDown: "PgDn", PageUp: "PgUp" };

function showHelp() {
  const rows = [...shortcuts].map((each) =>
    h("div", { class: "pair" },
      h("dt", {}, each.keys.map((key) => h("kbd", {}, NAMES[/** @type {keyof typeof NAMES} */ (key)] ?? key))),
      h("dd", {}, each.what)));
  modal("Keyboard", h("dl", { class: "pairs" }, rows));
}

/** Listen, and take the keys that work everywhere. */
export function startKeys() {
  addEventListener("keydown", press);
  takeKeys([{ keys: ["?"], what: "This help", run: showHelp }]);
}
