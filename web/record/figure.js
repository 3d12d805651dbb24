// One figure, as it is shown.

/** @typedef {{name: string, value: string, title: string, missing?: boolean}} Figure */

const NOT_KNOWN = "–";

/** @type {(name: string, value: number, format: (value: number) => string, title: string) => Figure} */
export function figure(name, value, format, title) {
  return Number.isFinite(value) ? { name, value: format(value), title } : notKnown(name, title);
}

/** @type {(name: string, title: string) => Figure} */
export function notKnown(name, title) {
  return { name, value: NOT_KNOWN, title, missing: true };
}
