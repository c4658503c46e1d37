/** Saved views: filters under a name, in this browser. */

import { ask, toast } from "../lib/dialog.js";
import { button, h } from "../lib/dom.js";
import { prefer, preferred } from "../lib/preferences.js";
import { link } from "../lib/router.js";

/** @typedef {{ name: string, filters: import("./filters.js").Filters }} View */

const KEPT = "views";

/** @returns {View[]} */
const views = () => preferred(KEPT, []);

/** @param {import("./filters.js").Filters} filters What was shown when it was asked for. */
async function save(filters) {
  const given = await ask({ title: "Save this view", text: "Its filters are kept in this browser.", yes: "Save", fields: [{ name: "name", label: "Name" }] });
  const name = given?.name.trim();
  if (!name) return;
  prefer(KEPT, [...views().filter((view) => view.name !== name), { name, filters }]);
  toast(`Saved as ${name}`);
}

/**
 * What is in the menu of views.
 * @param {() => import("./filters.js").Filters} filters
 * @param {() => void} close
 */
export const viewsMenu = (filters, close) => [
  ...views().map((view) =>
    h("div", { class: "menu-row" },
      h("a", { href: link("activity", view.filters), onclick: close }, view.name),
      button("×", () => { prefer(KEPT, views().filter((each) => each.name !== view.name)); close(); },
        { class: "chip-close", "aria-label": `Forget ${view.name}` }))),
  views().length ? null : h("p", { class: "faint small" }, "None yet"),
  button("Save this view…", () => { close(); void save(filters()); }, { class: "button quiet" }),
  button("Copy the link", () => { close(); void navigator.clipboard?.writeText(location.href).then(() => toast("Link copied")); }, { class: "button quiet" }),
];
