/** Requests to the API. Each thing that the page does is one of these. */

const ROOT = "/api/v1";
const OURS = { "x-activity-page": "1" };

/** What the API refuses, or cannot do: the problem document (RFC 9457). */
export class Problem extends Error {
  /**
   * @param {number} status
   * @param {{ detail?: string, title?: string, request_id?: string, errors?: { where: string, what: string }[] }} document
   */
  constructor(status, document) {
    const faults = (document.errors ?? []).map((fault) => `${fault.where}: ${fault.what}`).join("; ");
    super(faults || document.detail || document.title || `The service answered ${status}.`);
    this.status = status;
    this.requestId = document.request_id ?? "";
  }
}

/** @type {() => void} */
let askForKey = () => {};

/**
 * Say what happens where a request needs a key.
 * @param {() => void} what
 */
export const onKeyRequired = (what) => void (askForKey = what);

/**
 * Write parameters as a query string; empty ones are left out.
 * @param {Record<string, any>} parameters
 */
export function query(parameters) {
  const pairs = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return pairs.length ? `?${new URLSearchParams(pairs.map(([name, value]) => [name, String(value)]))}` : "";
}

/**
 * The address of a route.
 * @param {string} path
 * @param {Record<string, any>} [parameters]
 */
export const address = (path, parameters = {}) => `${ROOT}${path}${query(parameters)}`;

/**
 * @param {string} path
 * @param {RequestInit} options
 */
async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(`${ROOT}${path}`, options);
  } catch (error) {
    if (/** @type {Error} */ (error).name === "AbortError") throw error;
    throw new Problem(0, { detail: "The service does not answer." });
  }
  if (answer.ok) return answer.status === 204 ? null : answer.json();
  const problem = new Problem(answer.status, await answer.json().catch(() => ({})));
  // Whoever is signing in is told there.
  if (answer.status === 401 && options.method !== "POST") askForKey();
  throw problem;
}

/**
 * GET.
 * @param {string} path
 * @param {Record<string, any>} [parameters]
 * @param {AbortSignal} [signal]
 * @returns {Promise<any>}
 */
export const get = (path, parameters = {}, signal) => ask(path + query(parameters), { signal });

/**
 * POST a JSON document.
 * @param {string} path
 * @param {unknown} body
 * @returns {Promise<any>}
 */
export const post = (path, body) =>
  ask(path, { method: "POST", headers: { ...OURS, "content-type": "application/json" }, body: JSON.stringify(body) });

/**
 * DELETE.
 * @param {string} path
 * @returns {Promise<any>}
 */
export const remove = (path) => ask(path, { method: "DELETE", headers: OURS });

/** @param {unknown} error */
export const isAbort = (error) => error instanceof Error && error.name === "AbortError";
