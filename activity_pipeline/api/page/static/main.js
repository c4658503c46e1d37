/** The page: who looks at it, which part is shown, and what surrounds it. */

import { ActivityView } from "./activity/view.js";
import { get, onKeyRequired, remove } from "./lib/api.js";
import { button, fill, h } from "./lib/dom.js";
import { zone } from "./lib/format.js";
import { startKeys, takeKeys } from "./lib/keys.js";
import { applyTheme, inUtc, nextTheme, prefer, preferred } from "./lib/preferences.js";
import { follow, go, link, route } from "./lib/router.js";
import { session, setSession } from "./lib/session.js";
import { failed, loading } from "./lib/states.js";
import { anomaliesPage } from "./pages/anomalies.js";
import { archivePage } from "./pages/archive.js";
import { healthPage } from "./pages/health.js";
import { legacyPage } from "./pages/legacy.js";
import { metricsPage } from "./pages/metrics.js";
import { signInPage } from "./pages/signin.js";

const PAGES = /** @type {const} */ ({ activity: "Activity", metrics: "Metrics", anomalies: "Anomalies", archive: "Archive", health: "Health", legacy: "Triggers" });
const main = /** @type {HTMLElement} */ (document.getElementById("main"));
const nav = /** @type {HTMLElement} */ (document.getElementById("nav"));
const tools = /** @type {HTMLElement} */ (document.getElementById("tools"));

let leaving = new AbortController();
/** @type {ActivityView | null} */
let activity = null;

/** @param {import("./lib/router.js").Route} to */
function show({ page, parameters }) {
  const name = page in PAGES ? /** @type {keyof typeof PAGES} */ (page) : "activity";
  document.title = `${PAGES[name]} · activity`;
  for (const each of nav.children) {
    if (/** @type {HTMLElement} */ (each).dataset.page === name) each.setAttribute("aria-current", "page");
    else each.removeAttribute("aria-current");
  }
  if (name === "activity" && activity) return activity.show(parameters);
  leaving.abort();
  leaving = new AbortController();
  activity = null;
  const { signal } = leaving;
  if (name === "activity") {
    activity = new ActivityView(signal);
    fill(main, activity.element);
    activity.show(parameters);
  } else if (name === "metrics") fill(main, metricsPage(parameters, signal));
  else if (name === "anomalies") fill(main, anomaliesPage(parameters, signal));
  else if (name === "archive") fill(main, archivePage(signal));
  else if (name === "legacy") fill(main, legacyPage(signal));
  else fill(main, healthPage(signal));
}

function showTools() {
  const who = session();
  fill(nav, who ? Object.entries(PAGES).filter(([page]) => page !== "legacy" || who.has_legacy).map(([page, title]) => h("a", { href: link(page), "data-page": page }, title)) : []);
  fill(tools,
    button(inUtc() ? "UTC" : "Local", () => { prefer("utc", !inUtc()); showTools(); again(); }, { class: "button quiet", title: `Times are in ${zone()}`, "aria-label": `Times are in ${zone()}; change` }),
    button({ system: "◐", light: "☀", dark: "☾" }[preferred("theme", "system")], () => { nextTheme(); showTools(); }, { class: "button quiet", title: `Theme: ${preferred("theme", "system")}`, "aria-label": `Theme: ${preferred("theme", "system")}; change` }),
    who && who.name !== "loopback" && button("Sign out", () => void signOut(), { class: "button quiet", title: who.label }));
}

function again() {
  // The list of events draws itself anew.
  if (route().page === "activity" || !session()) return mark();
  leaving.abort();
  show(route());
}

function mark() {
  const page = route().page;
  for (const each of nav.children) if (/** @type {HTMLElement} */ (each).dataset.page === page) each.setAttribute("aria-current", "page");
}

function signIn() {
  leaving.abort();
  activity = null;
  setSession(null);
  showTools();
  fill(main, signInPage((who) => begin(who)));
}

async function signOut() {
  await remove("/session").catch(() => {});
  signIn();
}

let following = false;

/** @param {import("./lib/session.js").Session} who */
function begin(who) {
  setSession(who);
  showTools();
  if (following) return show(route());
  following = true;
  follow((to) => session() && show(to));
}

async function start() {
  applyTheme();
  startKeys();
  takeKeys(Object.entries(PAGES).map(([page, title], place) => ({ keys: [String(place + 1)], what: title, run: () => session() && go(page) })));
  takeKeys([{ keys: ["t"], what: "Light, dark, or as the system is", run: () => { nextTheme(); showTools(); mark(); } }]);
  fill(main, loading());
  onKeyRequired(signIn);
  try {
    begin(await get("/session"));
  } catch (error) {
    if (/** @type {any} */ (error).status !== 401) fill(main, failed(error, () => void start()));
  }
}

void start();
