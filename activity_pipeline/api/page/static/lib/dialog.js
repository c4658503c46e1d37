/** Dialogs, and what is said in passing. The browser's own <dialog> keeps the focus and takes Escape. */

import { button, h } from "./dom.js";

let numbers = 0;

/**
 * Show a dialog.
 * @param {string} title
 * @param {Node} content
 * @param {Node[]} [actions]
 * @returns {HTMLDialogElement}
 */
export function modal(title, content, actions = []) {
  const id = `dialog-${++numbers}`;
  const dialog = h("dialog", { class: "modal", "aria-labelledby": id, onclose: () => dialog.remove() },
    h("h2", { id }, title), content,
    h("div", { class: "actions" }, actions, button("Close", () => dialog.close())));
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/**
 * Ask something, with fields where there is more to say than yes.
 * @param {{ title: string, text: string, yes: string, fields?: { name: string, label: string, type?: string, value?: string, min?: string, max?: string, optional?: boolean }[] }} question
 * @returns {Promise<Record<string, string> | null>} What the fields hold; null for no.
 */
export function ask({ title, text, yes, fields = [] }) {
  return new Promise((resolve) => {
    const form = h("form", { method: "dialog", class: "form" }, h("p", {}, text),
      fields.map(({ label, optional, ...field }) =>
        h("label", {}, label, h("input", { class: "input", autocomplete: "off", required: !optional, ...field }))),
      h("div", { class: "actions" },
        button("Cancel", () => dialog.close("")),
        h("button", { class: "button primary", value: "yes" }, yes)));
    const id = `dialog-${++numbers}`;
    const dialog = h("dialog", { class: "modal", "aria-labelledby": id }, h("h2", { id }, title), form);
    dialog.addEventListener("close", () => {
      dialog.remove();
      const values = /** @type {Record<string, string>} */ (Object.fromEntries(new FormData(form)));
      resolve(dialog.returnValue === "yes" ? values : null);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

const TOAST_MS = 6000;

/**
 * Say something in passing.
 * @param {string} text
 * @param {"good" | "bad"} [kind]
 */
export function toast(text, kind = "good") {
  const shown = h("div", { class: `toast ${kind}` }, text);
  document.getElementById("toasts")?.append(shown);
  setTimeout(() => shown.remove(), TOAST_MS);
}
