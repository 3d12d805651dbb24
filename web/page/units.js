// How a text is cut into what lights up, and into stretches that are drawn at once.

/** A part of the text: [start, end) in UTF-16 units. @typedef {{start: number, end: number}} Span */

/** Stretches of so many units are drawn and kept up to date as one. */
const UNITS_IN_STRETCH = 80;
/** Chinese and Japanese have no spaces: there each character is a unit, with the punctuation behind it. */
const UNIT = /[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}ー][\p{M}\p{P}]*|[^\s\p{sc=Han}\p{sc=Hira}\p{sc=Kana}]+/gu;

/**
 * What lights up at once: what stands between spaces.
 * @param {string} text
 * @returns {Span[]} in order; between them are spaces only
 */
export function unitsOf(text) {
  return Array.from(text.matchAll(UNIT), ({ index, 0: { length } }) => ({
    start: index,
    end: index + length,
  }));
}

/**
 * A text in stretches: all of it, with no gap between them.
 * @param {Span[]} units of the text
 * @param {number} length of the text
 * @returns {(Span & {units: Span[]})[]}
 */
export function stretchesOf(units, length) {
  const stretches = [];
  for (let first = 0; first < units.length; first += UNITS_IN_STRETCH) {
    const own = units.slice(first, first + UNITS_IN_STRETCH);
    stretches.push({
      start: first === 0 ? 0 : (own[0]?.start ?? 0),
      end: units[first + UNITS_IN_STRETCH]?.start ?? length,
      units: own,
    });
  }
  return stretches;
}

/**
 * The index of the first of some spans that ends behind an offset; their number when none does.
 * @param {readonly Span[]} spans in order
 * @param {number} offset
 */
export function firstBehind(spans, offset) {
  return firstWhere(spans.length, (index) => (spans[index]?.end ?? 0) > offset);
}

/**
 * The first index for which something is so; `count` when there is none.
 * @param {number} count
 * @param {(index: number) => boolean} isSo once it is so, it is so for all that follow
 */
export function firstWhere(count, isSo) {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isSo(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
