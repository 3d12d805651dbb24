// The segments of an utterance, and when their sound came.

/**
 * @typedef {object} Segment
 * @property {number} index
 * @property {string} text as it is spoken
 * @property {[number, number]} range where it stands in the log's text, in UTF-16 units
 * @property {number} startMs where it begins in the utterance's sound, ms
 * @property {string} language
 * @property {boolean} final
 * @property {number} at when it was told, ms
 * @property {number} firstFrameAt when its first sound came, ms; NaN before that
 * @property {number} lastFrameAt when its latest sound came, ms; NaN before that
 */

/** Over a track is told to a packet where the sound is, ms. */
const PACKET_MS = 20;

/**
 * @param {Segment[]} segments to which it is added; one that was told before is brought up to date
 * @param {{index: number, text: string, start_ms: number, range?: [number, number], language?: string,
 *   final?: boolean}} detail
 * @param {number} at ms: when it was told
 */
export function take(segments, detail, at) {
  const told = {
    text: detail.text,
    range: /** @type {[number, number]} */ (detail.range ?? [0, 0]),
    startMs: detail.start_ms,
    language: detail.language ?? "",
    final: detail.final ?? true,
  };
  const known = segments.find((each) => each.index === detail.index);
  if (known !== undefined) Object.assign(known, told);
  else segments.push({ index: detail.index, ...told, at, firstFrameAt: Number.NaN, lastFrameAt: Number.NaN });
}

/**
 * Sound from..to (ms) came at `at`.
 *
 * @param {Segment[]} segments
 * @param {number} now the first of them that it may belong to
 * @param {number} from ms
 * @param {number} to ms
 * @param {number} at ms
 * @returns {number} the first that later sound may belong to
 */
export function countIn(segments, now, from, to, at) {
  let first = now;
  // A frame may hold the end of one segment and the beginning of the next.
  while (first + 1 < segments.length && from >= (segments[first + 1]?.startMs ?? 0)) first += 1;
  for (let index = first; index < segments.length; index += 1) {
    const segment = segments[index];
    if (segment === undefined || segment.startMs >= to) break;
    if (Number.isNaN(segment.firstFrameAt)) segment.firstFrameAt = at;
    segment.lastFrameAt = at;
  }
  return first;
}

/**
 * @param {Segment[]} segments
 * @param {number} ms a place in the sound
 * @returns {boolean} whether one begins there, to a packet
 */
export function beginsAt(segments, ms) {
  return segments.some(({ startMs }) => Math.abs(startMs - ms) <= PACKET_MS);
}
