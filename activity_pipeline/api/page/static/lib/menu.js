/** A button with a menu below it. */

import { fill, h } from "./dom.js";

/**
 * @param {string} title
 * @param {(close: () => void) => any[]} content Asked each time it opens.
 */
export function menu(title, content) {
  const list = h("div", { class: "menu-list" });
  const details = h("details", { class: "menu" }, h("summary", { class: "button" }, title), list);
  const close = () => (details.open = false);
  details.addEventListener("toggle", () => details.open && fill(list, ...content(close)));
  details.addEventListener("focusout", (/** @type {FocusEvent} */ event) => {
    if (event.relatedTarget && !details.contains(event.relatedTarget)) close();
  });
  details.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Escape" || !details.open) return;
    event.stopPropagation();
    close();
    details.querySelector("summary").focus();
  });
  document.addEventListener("pointerdown", (event) => details.isConnected && !details.contains(event.target) && close());
  return details;
}
