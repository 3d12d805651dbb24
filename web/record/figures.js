// The figures of an utterance, each with how it was measured. What is not known is missing, never a guess.

import { figure, notKnown } from "./figure.js";
import { bytes, count, duration, ratio } from "./format.js";
import { trackFiguresOf } from "./track-figures.js";

/** @typedef {import("./figure.js").Figure} Figure */
/** @typedef {import("./log.js").UtteranceLog} UtteranceLog */

const OVER_A_TRACK =
  "Not told here: over WebRTC sound comes as a track, whose packets the page does not see.";

/**
 * @param {UtteranceLog} log
 * @returns {Figure[]} always the same names in the same order, and behind them those of a track where it came over one;
 *   `missing` where the value is not known
 */
export function figuresOf(log) {
  return [
    fromFirstToken(log),
    fromLastToken(log),
    leadingSilence(log),
    cancelToSilence(log),
    cancelToAnswer(log),
    underruns(log),
    textWaits(log),
    leastInHand(log),
    usuallyInHand(log),
    serverFactor(log),
    wallFactor(log),
    heard(log),
    textBytes(log),
    audioBytes(log),
    packets(log),
    connection(log),
    ...(log.settings.track === true ? trackFiguresOf(log) : []),
  ];
}

/** @param {UtteranceLog} log */
function fromFirstToken(log) {
  const name = "First sound, from the first token";
  const title =
    "From sending the first piece of text to the first sample that leaves the player; the loudspeaker's own delay is " +
    "not in it. The silence before the first word is told beside it.";
  return figure(name, log.playingAt - log.firstTokenAt, duration, title);
}

/** @param {UtteranceLog} log */
function fromLastToken(log) {
  const name = "First sound, from the last token";
  const early = log.playingAt < log.lastTokenAt;
  const title =
    "From sending the last piece of text to the first sample that leaves the player. " +
    (early ? "It spoke before the text was complete." : "Below zero: it spoke before the text was complete.");
  // As long as text may come, the last token is not known.
  const ended = !Number.isNaN(log.textEndedAt) || log.over;
  return figure(name, ended ? log.playingAt - log.lastTokenAt : Number.NaN, duration, title);
}

/** @param {UtteranceLog} log */
function leadingSilence(log) {
  const title =
    "Where the first word begins in the sound, by the server's times of words. Add it to the first sound to have the " +
    "first that can be heard.";
  return figure("Silence before the first word", log.wordList[0]?.startMs ?? Number.NaN, duration, title);
}

/** @param {UtteranceLog} log */
function cancelToSilence(log) {
  const title = "From the key or the button to the last sample that leaves the player.";
  return figure("Interrupt to silence", log.silentAt - log.cancelAskedAt, duration, title);
}

/** @param {UtteranceLog} log */
function cancelToAnswer(log) {
  const title =
    "From the key or the button to the server's context.cancelled, behind which no sound of it comes. The way there and " +
    "back is in it.";
  const answered = log.cancelledWith?.at ?? Number.NaN;
  return figure("Interrupt to the server's answer", answered - log.cancelAskedAt, duration, title);
}

/** @param {UtteranceLog} log */
function underruns(log) {
  const title =
    "How often the player had nothing left to play although more was to come, and how long it was silent; without " +
    "the times in which the text was not there yet.";
  return times(log, "Underruns", log.underruns, title);
}

/** @param {UtteranceLog} log */
function textWaits(log) {
  const title =
    "How often all was said that could be, as the text itself came slower than speech, and how long it was silent.";
  return times(log, "Waited for text", log.textWaits, title);
}

/** @type {(log: UtteranceLog, name: string, stretches: import("./stretches.js").Stretches, title: string) => Figure} */
function times(log, name, { count: number, ms }, title) {
  const known = !Number.isNaN(log.playingAt);
  return figure(
    name,
    known ? number : Number.NaN,
    () => (number === 0 ? "none" : `${number}, ${duration(ms)}`),
    title,
  );
}

const WHILE_COMING = "Sound that had come and was not yet heard, while it played and more was to come";

/** @param {UtteranceLog} log */
function leastInHand(log) {
  return inHand(log, "Least sound in hand", `${WHILE_COMING}: the least of it.`, (rows) => {
    return Math.min(...rows.map((row) => row.low));
  });
}

/** @param {UtteranceLog} log */
function usuallyInHand(log) {
  return inHand(log, "Sound in hand, median", `${WHILE_COMING}: half of the time there was more.`, (rows) => {
    const sorted = [...rows].sort((a, b) => a.held - b.held);
    let rest = sorted.reduce((sum, row) => sum + row.ms, 0) / 2;
    return sorted.find((row) => {
      rest -= row.ms;
      return rest <= 0;
    })?.held;
  });
}

/**
 * @param {UtteranceLog} log
 * @param {string} name
 * @param {string} title
 * @param {(rows: {held: number, low: number, ms: number}[]) => number | undefined} choose from at least one row
 * @returns {Figure}
 */
function inHand(log, name, title, choose) {
  if (log.settings.track === true) {
    return notKnown(name, `${title} Not told here: over WebRTC it is the jitter buffer that holds it.`);
  }
  const { playingAt, lastFrameAt } = log;
  if (!Number.isNaN(playingAt) && log.complete && lastFrameAt <= playingAt) {
    return {
      name,
      value: "all of it",
      title: `${title} Here all had come before the first sample was played.`,
    };
  }
  const until = Math.min(lastFrameAt, earliestOf(log.silentAt, log.playedAt));
  const { points } = log.hand;
  const rows = [];
  for (let row = points.search("at", playingAt); row < points.length; row += 1) {
    const at = points.at("at", row);
    if (at > until) {
      break;
    }
    const next = Math.min(row + 1 < points.length ? points.at("at", row + 1) : until, until);
    const held = points.at("held", row);
    // It falls by the clock between two rows, unless something came.
    const later = points.at("held", row + 1);
    rows.push({ held: later < held ? (held + later) / 2 : held, low: points.at("low", row), ms: next - at });
  }
  const value = rows.length > 0 && !Number.isNaN(playingAt) ? choose(rows) : undefined;
  return figure(name, value ?? Number.NaN, duration, title);
}

/** @param {UtteranceLog} log */
function serverFactor(log) {
  const timing = log.doneWith?.timing;
  const work = (timing?.infer_ms ?? Number.NaN) + (timing?.encode_ms ?? Number.NaN);
  const audioMs = log.doneWith?.audioMs ?? 0;
  const cache = log.doneWith?.cache;
  const kept =
    cache === "hit"
      ? " All of the sound was in the server's cache."
      : cache === "partial"
        ? " A part was cached."
        : "";
  const title = `Time for which the server's voice and encoder worked, for each second of sound, as context.done tells.${kept}`;
  const suffix = cache === "hit" || cache === "partial" ? ` (cache: ${cache})` : "";
  const value = audioMs > 0 ? work / audioMs : Number.NaN;
  return figure("Real-time factor, server", value, (factor) => `${ratio(factor)}${suffix}`, title);
}

/** @param {UtteranceLog} log */
function wallFactor(log) {
  const name = "Real-time factor, all the way";
  const title =
    "From sending the first piece of text to the arrival of the last frame, for each second of sound; without the time " +
    "in which the server waited because there was enough sound in hand.";
  if (log.settings.track === true) {
    return notKnown(name, `${title} ${OVER_A_TRACK}`);
  }
  if (log.lastTokenAt > log.firstFrameAt) {
    return notKnown(name, `${title} Not told here: the text itself came slower.`);
  }
  if (log.outages.count > 0) {
    return notKnown(name, `${title} Not told here: the connection was lost.`);
  }
  const wall = log.lastFrameAt - log.firstTokenAt - log.waits.within(log.firstTokenAt, log.lastFrameAt);
  const known = log.complete && log.receivedMs > 0;
  return figure(name, known ? wall / log.receivedMs : Number.NaN, ratio, title);
}

/** @param {UtteranceLog} log */
function heard(log) {
  const title = "How much of the sound was heard at the loudspeaker, of all that has come.";
  const known = !Number.isNaN(log.playingAt);
  return figure(
    "Heard",
    known ? log.heardMs : Number.NaN,
    (ms) => `${duration(ms)} of ${duration(log.audioMs)}`,
    title,
  );
}

/** @param {UtteranceLog} log */
function textBytes(log) {
  const title =
    "Text that was sent, in bytes of UTF-8, and in how many pieces; the JSON around it is not in it.";
  const pieces = log.tokenCount === 1 ? "1 piece" : `${count(log.tokenCount)} pieces`;
  return figure(
    "Text",
    log.tokenCount > 0 ? log.textBytes : Number.NaN,
    (value) => `${bytes(value)} in ${pieces}`,
    title,
  );
}

/** @param {UtteranceLog} log */
function audioBytes(log) {
  const title =
    "Frames of sound that came, in bytes, with the 24 bytes of each one's header; and what that is a second.";
  if (log.settings.track === true) {
    return notKnown("Sound", `${title} ${OVER_A_TRACK}`);
  }
  return figure(
    "Sound",
    log.frameCount > 0 ? log.audioBytes : Number.NaN,
    (value) => {
      const rate = log.receivedMs > 0 ? `, ${Math.round((value * 8) / log.receivedMs)} kbit/s` : "";
      return `${bytes(value)}${rate}`;
    },
    title,
  );
}

/** @param {UtteranceLog} log */
function packets(log) {
  const title = "Frames of sound that came, and how much sound is in one on average.";
  if (log.settings.track === true) {
    return notKnown("Packets", `${title} ${OVER_A_TRACK}`);
  }
  return figure(
    "Packets",
    log.frameCount > 0 ? log.frameCount : Number.NaN,
    (value) => `${count(value)} of ${(log.receivedMs / value).toFixed(1)} ms`,
    title,
  );
}

/** @param {UtteranceLog} log */
function connection(log) {
  const title =
    "How often the connection was lost while this was spoken, and for how long; what was missed came again.";
  const { count: times, ms, since } = log.outages;
  return figure(
    "Connection lost",
    Number.isNaN(log.firstTokenAt) ? Number.NaN : times,
    () => {
      if (times === 0) {
        return "never";
      }
      return Number.isNaN(since) ? `${times}×, ${duration(ms)}` : `${times}×, and not back yet`;
    },
    title,
  );
}

/** @type {(a: number, b: number) => number} the earlier one; infinity when neither is known */
function earliestOf(a, b) {
  return Math.min(
    Number.isNaN(a) ? Number.POSITIVE_INFINITY : a,
    Number.isNaN(b) ? Number.POSITIVE_INFINITY : b,
  );
}
