// Characters. The protocol counts code points and limits bytes of UTF-8; JavaScript counts UTF-16 units.

const LONE_SURROGATES = /\p{Surrogate}/gu;

/**
 * The text with U+FFFD in place of each half of a character whose other half is missing: those are no text.
 * @param {string} text
 */
export function wellFormed(text) {
  return text.replace(LONE_SURROGATES, "\ufffd");
}

/**
 * Whether a UTF-16 unit is the first half of a character beyond U+FFFF.
 * @param {number} unit
 */
export function isHighSurrogate(unit) {
  return (unit & 0xfc00) === 0xd800;
}

/**
 * Bytes of a well-formed text in UTF-8.
 * @param {string} text
 */
export function utf8Bytes(text) {
  let bytes = 0;
  for (let index = 0; index < text.length; index++) bytes += unitBytes(text.charCodeAt(index));
  return bytes;
}

/** @param {number} unit */
function unitBytes(unit) {
  if (unit < 0x80) return 1;
  // Both halves of a pair together are four bytes.
  return unit < 0x800 || (unit & 0xf800) === 0xd800 ? 2 : 3;
}

/**
 * The text in pieces of at most `maxBytes` (4 or more) of UTF-8 each; no character is cut in two.
 * @param {string} text well-formed
 * @param {number} maxBytes
 */
export function pieces(text, maxBytes) {
  const parts = [];
  let start = 0;
  let bytes = 0;
  for (let index = 0; index < text.length; ) {
    const unit = text.charCodeAt(index);
    const units = isHighSurrogate(unit) ? 2 : 1;
    const size = unitBytes(unit) * units;
    if (bytes + size > maxBytes) {
      parts.push(text.slice(start, index));
      start = index;
      bytes = 0;
    }
    bytes += size;
    index += units;
  }
  if (start < text.length) parts.push(text.slice(start));
  return parts;
}

/**
 * The text from its code point `points` on.
 * @param {string} text well-formed
 * @param {number} points
 */
export function fromPoint(text, points) {
  let index = 0;
  for (let left = points; left > 0 && index < text.length; left--) {
    index += isHighSurrogate(text.charCodeAt(index)) ? 2 : 1;
  }
  return text.slice(index);
}

/**
 * How many code points a well-formed text has.
 * @param {string} text
 */
export function countPoints(text) {
  let points = text.length;
  for (let index = 0; index < text.length; index++) {
    if (isHighSurrogate(text.charCodeAt(index))) points--;
  }
  return points;
}

/** A text that grows, and knows which UTF-16 unit each of its code points begins at. */
export class GrowingText {
  text = "";
  #points = 0;
  /** Which code points are beyond U+FFFF, and so two units long, in order. @type {number[]} */
  #long = [];

  /** @param {string} text well-formed */
  append(text) {
    this.text += text;
    for (let index = 0; index < text.length; index++) {
      if (isHighSurrogate(text.charCodeAt(index))) {
        this.#long.push(this.#points);
        index++;
      }
      this.#points++;
    }
  }

  /**
   * A range of code points as UTF-16 units.
   * @param {readonly [number, number]} source
   * @returns {[number, number]}
   */
  range([start, end]) {
    return [this.#unit(start), this.#unit(end)];
  }

  /** @param {number} point */
  #unit(point) {
    let low = 0;
    let high = this.#long.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (/** @type {number} */ (this.#long[middle]) < point) low = middle + 1;
      else high = middle;
    }
    return point + low;
  }
}
