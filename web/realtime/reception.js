/** @import {Reception} from "../realtime.js" */

/**
 * What a browser's statistics say of a track that it receives; NaN where it does not say.
 * @param {RTCStatsReport} report
 * @returns {Reception | null} null as long as nothing has come
 */
export function receptionOf(report) {
  /** @type {any[]} */
  const all = [...report.values()];
  const inbound = all.find(
    (each) => each.type === "inbound-rtp" && (each.kind ?? each.mediaType) === "audio",
  );
  if (inbound === undefined) return null;
  const transport = all.find((each) => each.type === "transport" && each.selectedCandidatePairId);
  const pair =
    (transport && report.get(transport.selectedCandidatePairId)) ??
    // Firefox has no `transport`.
    all.find((each) => each.type === "candidate-pair" && (each.selected || each.nominated));
  const played = number(inbound.totalSamplesReceived);
  return {
    at: performance.now(),
    packets: number(inbound.packetsReceived),
    bytes: number(inbound.bytesReceived),
    lost: number(inbound.packetsLost),
    jitterMs: number(inbound.jitter) * 1000,
    roundTripMs: number(pair?.currentRoundTripTime) * 1000,
    bufferedS: number(inbound.jitterBufferDelay),
    bufferedSamples: number(inbound.jitterBufferEmittedCount),
    samples: played,
    // Silence that is made up in a silence is none that anybody misses.
    concealedSamples: number(inbound.concealedSamples) - (inbound.silentConcealedSamples ?? 0),
  };
}

/** @param {unknown} value */
function number(value) {
  return typeof value === "number" ? value : Number.NaN;
}
