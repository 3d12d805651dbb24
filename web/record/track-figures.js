// The figures of an utterance whose sound came over a WebRTC track: most are the browser's own.

import { figure } from "./figure.js";
import { bytes, count, duration } from "./format.js";

/** @typedef {import("./figure.js").Figure} Figure */
/** @typedef {import("./log.js").UtteranceLog} UtteranceLog */

const BY_THE_BROWSER = "As the browser counts it (getStats), while this was heard.";
const SAMPLES_PER_MS = 48;

/**
 * @param {UtteranceLog} log
 * @returns {Figure[]} always the same names in the same order
 */
export function trackFiguresOf(log) {
  const { carried } = log;
  /** @type {(name: string, value: number | undefined, format: (value: number) => string, what: string) => Figure} */
  const counted = (name, value, format, what) =>
    figure(`WebRTC: ${name}`, value ?? Number.NaN, format, `${what} ${BY_THE_BROWSER}`);
  return [
    figure(
      "WebRTC: first audible sound",
      log.audibleAt - log.askedAt,
      duration,
      "From the key or the button to the first sample louder than -45 dB that goes to the loudspeaker; the silence " +
        "before the first word is in it.",
    ),
    counted(
      "jitter buffer",
      carried ? (carried.bufferedS * 1000) / carried.bufferedSamples : undefined,
      duration,
      "How long sound waits on average, so that what comes unevenly is heard evenly.",
    ),
    counted("jitter", carried?.jitterMs, duration, "By how much packets come unevenly."),
    counted(
      "round trip",
      carried?.roundTripMs,
      duration,
      "To the server and back, by the last check of the way.",
    ),
    counted(
      "packets",
      carried?.packets,
      (packets) => `${count(packets)}, ${bytes(carried?.bytes ?? 0)}`,
      "Packets that came; one has 20 ms.",
    ),
    counted("packets lost", carried?.lost, lossOf(carried?.packets ?? 0), "Packets that never came."),
    counted(
      "made up",
      carried?.concealedSamples,
      (samples) =>
        samples === 0
          ? "none"
          : `${duration(samples / SAMPLES_PER_MS)}${shareOf(samples, carried?.samples ?? 0)}`,
      "Sound that the browser has made up where packets were lost or late (concealed samples), without what it made up " +
        "in silence.",
    ),
  ];
}

/** @param {number} came @returns {(lost: number) => string} */
function lossOf(came) {
  return (lost) => (lost <= 0 ? "none" : `${count(lost)}${shareOf(lost, lost + came)}`);
}

/** @type {(part: number, whole: number) => string} */
function shareOf(part, whole) {
  return whole > 0 ? `, ${((part * 100) / whole).toFixed(1)} %` : "";
}
