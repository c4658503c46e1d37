/** Sign-in: a key for a cookie that no script can read. */

import { post } from "../lib/api.js";
import { h } from "../lib/dom.js";

/** @param {(session: import("../lib/session.js").Session) => void} done */
export function signInPage(done) {
  const wrong = h("p", { class: "bad", role: "alert" });
  const key = h("input", { class: "input", type: "password", name: "key", autocomplete: "current-password", required: true, placeholder: "act_…", id: "key" });
  const form = h("form", { class: "form sign-in panel", onsubmit: async (/** @type {Event} */ event) => {
    event.preventDefault();
    wrong.textContent = "";
    try {
      done(await post("/session", { key: key.value.trim() }));
    } catch (error) {
      wrong.textContent = /** @type {Error} */ (error).message;
      key.select();
    }
  } },
  h("h1", {}, "Sign in"), h("p", { class: "faint" }, "With a key of activity-pipeline keys create."),
  h("label", { for: "key" }, "API key"), key, wrong, h("button", { class: "button primary" }, "Sign in"));
  queueMicrotask(() => key.focus());
  return form;
}
