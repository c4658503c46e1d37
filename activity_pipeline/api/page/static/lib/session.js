/** Who looks at this page, and what of. */

/** @typedef {{ name: string, label: string, scopes: string[], is_restricted: boolean, version: string, dagster_url: string, has_legacy: boolean }} Session */

/** @type {Session | null} */
let known = null;

/** @param {Session | null} session */
export const setSession = (session) => void (known = session);

export const session = () => known;

/** @param {string} scope */
export const may = (scope) => !!known?.scopes.includes(scope) && !known.is_restricted;
