// What a browser has counted of a track while an utterance sounded.

/** @typedef {import("../player/track.js").Carried} Carried */

/**
 * @param {Carried | null} before
 * @param {Carried} more what came after it
 * @returns {Carried} of both together
 */
export function addedUp(before, more) {
  if (before === null) return more;
  return {
    packets: before.packets + more.packets,
    bytes: before.bytes + more.bytes,
    lost: before.lost + more.lost,
    jitterMs: more.jitterMs,
    roundTripMs: Number.isNaN(more.roundTripMs) ? before.roundTripMs : more.roundTripMs,
    bufferedS: before.bufferedS + more.bufferedS,
    bufferedSamples: before.bufferedSamples + more.bufferedSamples,
    samples: before.samples + more.samples,
    concealedSamples: before.concealedSamples + more.concealedSamples,
  };
}
