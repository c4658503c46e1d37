/** Routes in the address's fragment, `#/activity?source=shop`: what a person sees can be sent to another. */

/** @typedef {{ page: string, parameters: Record<string, string> }} Route */

/** @type {((route: Route) => void)[]} */
const listeners = [];

/** @returns {Route} */
export function route() {
  const [path, search = ""] = location.hash.replace(/^#\/?/, "").split("?");
  return { page: path || "activity", parameters: Object.fromEntries(new URLSearchParams(search)) };
}

/**
 * Write a route as the fragment of an address.
 * @param {string} page
 * @param {Record<string, any>} [parameters]
 */
export function link(page, parameters = {}) {
  const pairs = Object.entries(parameters).filter(([, value]) => value !== "" && value !== undefined && value !== null);
  const search = new URLSearchParams(pairs).toString();
  return `#/${page}${search ? `?${search}` : ""}`;
}

/**
 * Go to a route.
 * @param {string} page
 * @param {Record<string, any>} [parameters]
 * @param {{ replace?: boolean }} [options]
 */
export function go(page, parameters = {}, { replace = false } = {}) {
  const target = link(page, parameters);
  if (target === location.hash) return;
  if (replace) history.replaceState(null, "", target);
  else history.pushState(null, "", target);
  tell();
}

function tell() {
  const now = route();
  for (const listener of listeners) listener(now);
}

/**
 * Follow the route, from now on.
 * @param {(route: Route) => void} listener
 */
export function follow(listener) {
  if (!listeners.length) {
    // A link to the content is no route.
    addEventListener("popstate", () => location.hash !== "#main" && tell());
  }
  listeners.push(listener);
  listener(route());
}
