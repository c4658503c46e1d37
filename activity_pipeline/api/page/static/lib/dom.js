/** Elements, made without markup: no text from anywhere is ever parsed as HTML. */

const SVG = "http://www.w3.org/2000/svg";

/**
 * @typedef {Node | string | number | null | undefined | false} Child
 * @typedef {Record<string, any>} Properties `on…` are listeners, `class`, `data-…` and `aria-…` attributes,
 *   `style` an object; anything else an attribute, left out where it is null or false.
 */

/**
 * @param {Element} element
 * @param {Properties} properties
 */
function dress(element, properties) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") Object.assign(/** @type {HTMLElement} */ (element).style, value);
    else if (name === "value") /** @type {HTMLInputElement} */ (element).value = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
}

/** @param {Child[]} children */
const present = (children) =>
  children
    .flat(2)
    .filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => (typeof child === "number" ? String(child) : /** @type {Node | string} */ (child)));

/**
 * Make an HTML element.
 * @param {string} tag
 * @param {Properties} [properties]
 * @param {...Child | Child[]} children
 * @returns {any}
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  element.append(...present(/** @type {Child[]} */ (children)));
  dress(element, properties);
  return element;
}

/**
 * Make an SVG element.
 * @param {string} tag
 * @param {Properties} [properties]
 * @param {...Child | Child[]} children
 * @returns {any}
 */
export function svg(tag, properties = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  dress(element, properties);
  element.append(...present(/** @type {Child[]} */ (children)));
  return element;
}

/**
 * Put other children into an element.
 * @param {Element} element
 * @param {...Child | Child[]} children
 */
export function fill(element, ...children) {
  element.replaceChildren(...present(/** @type {Child[]} */ (children)));
}

/**
 * A button.
 * @param {string} text
 * @param {(event: Event) => void} onclick
 * @param {Properties} [properties]
 */
export const button = (text, onclick, properties = {}) =>
  h("button", { type: "button", class: "button", onclick, ...properties }, text);

/**
 * Call `what` once nobody has asked for it again for a while.
 * @template {any[]} T
 * @param {(...given: T) => void} what
 * @param {number} milliseconds
 * @returns {(...given: T) => void}
 */
export function debounced(what, milliseconds) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => what(...given), milliseconds);
  };
}
