// An utterance as a file. Of one that was interrupted it holds what was heard.

import { packetSamples, RATE, USUAL_PRE_SKIP } from "../player/opus.js";
import { decode } from "./decode.js";
import { fileOf } from "./ogg.js";

/** @typedef {import("./log.js").UtteranceLog} UtteranceLog */

const SAMPLES_PER_MS = RATE / 1000;
const WAV_HEADER_BYTES = 44;
/** Samples that are put together before the browser is given them to keep: 10 s. */
const BLOCK = 10 * RATE;
const TITLE_CHARACTERS = 80;
const NAME_CHARACTERS = 40;

/**
 * The packets as they came, in an Ogg file that decodes to exactly the utterance's samples.
 *
 * @param {UtteranceLog} log
 * @returns {Promise<Blob>} fails with an `Error` that says why there is nothing to save
 */
export async function oggOf(log) {
  const { until, preSkip, samples } = extent(log);
  const title = [...log.text.trim()].slice(0, TITLE_CHARACTERS).join("").replace(/\s+/g, " ");
  return await fileOf(log.packets, { from: 0, until, preSkip, samples, title });
}

/**
 * The utterance's samples: mono, 48 kHz, 16 bit.
 *
 * @param {UtteranceLog} log
 * @returns {Promise<Blob>} fails with an `Error` that says why there is nothing to save
 */
export async function wavOf(log) {
  const { until, preSkip, samples } = extent(log);
  /** @type {Blob[]} */
  const blocks = [];
  const block = new Int16Array(BLOCK);
  let taken = 0;
  let dropped = 0;
  let written = 0;
  await decode(log.packets, until, (decoded) => {
    const skip = Math.min(preSkip - dropped, decoded.length);
    dropped += skip;
    for (let index = skip; index < decoded.length && written < samples; index += 1) {
      const value = Math.round((decoded[index] ?? 0) * 32_768);
      block[taken] = Math.max(-32_768, Math.min(32_767, value));
      taken += 1;
      written += 1;
      if (taken === BLOCK) {
        // The browser keeps a blob outside the page's own memory.
        blocks.push(new Blob([block]));
        taken = 0;
      }
    }
  });
  if (written < samples) {
    throw new Error(`this browser decoded ${written} of ${samples} samples`);
  }
  blocks.push(new Blob([block.subarray(0, taken)]));
  return new Blob([wavHeader(samples), ...blocks], { type: "audio/wav" });
}

/**
 * @param {UtteranceLog} log
 * @param {string} ext "ogg" or "wav"
 * @returns {string} a name for the file, made of the first words
 */
export function fileName(log, ext) {
  const words =
    log.text
      .normalize("NFC")
      .toLowerCase()
      .match(/[\p{L}\p{N}\p{M}]+/gu) ?? [];
  let name = "";
  for (const word of words) {
    const longer = name === "" ? word : `${name}-${word}`;
    if ([...longer].length > NAME_CHARACTERS) {
      // Where words are not set apart by spaces the first may be a whole sentence.
      name ||= [...word].slice(0, NAME_CHARACTERS).join("");
      break;
    }
    name = longer;
  }
  // Names that Windows does not allow.
  if (name === "" || /^(con|prn|aux|nul|com\d|lpt\d)$/.test(name)) {
    name = name === "" ? "speech" : `speech-${name}`;
  }
  return `${name}${log.interrupted ? "-interrupted" : ""}.${ext}`;
}

/**
 * What of a log goes into a file.
 *
 * @param {UtteranceLog} log
 * @returns {{until: number, preSkip: number, samples: number}} packets before `until`, of which `samples` are heard
 */
function extent(log) {
  const { packets } = log;
  if (packets.dropped) {
    throw new Error("The sound of this one is no longer kept: later ones took its room.");
  }
  if (!log.opusOnly) {
    throw new Error("The sound of this one did not come as Opus packets.");
  }
  const preSkip = log.settings.preSkip ?? USUAL_PRE_SKIP;
  const heard = log.interrupted ? Math.floor(log.heardMs * SAMPLES_PER_MS) : Number.POSITIVE_INFINITY;
  let until = 0;
  let decoded = 0;
  let samples = 0;
  while (until < packets.length && samples < heard) {
    const { payload, duration } = packets.at(until);
    samples += duration;
    decoded += packetSamples(payload);
    until += 1;
  }
  samples = Math.min(samples, heard, decoded - preSkip);
  if (samples <= 0) {
    throw new Error(log.interrupted ? "Nothing of it was heard." : "There is no sound.");
  }
  return { until, preSkip, samples };
}

/** @param {number} samples */
function wavHeader(samples) {
  const bytes = samples * 2;
  const header = new DataView(new ArrayBuffer(WAV_HEADER_BYTES));
  /** @type {(offset: number, text: string) => void} */
  const tag = (offset, text) => {
    for (let index = 0; index < text.length; index += 1) {
      header.setUint8(offset + index, text.charCodeAt(index));
    }
  };
  tag(0, "RIFF");
  header.setUint32(4, WAV_HEADER_BYTES - 8 + bytes, true);
  tag(8, "WAVEfmt ");
  header.setUint32(16, 16, true);
  header.setUint16(20, 1, true);
  header.setUint16(22, 1, true);
  header.setUint32(24, RATE, true);
  header.setUint32(28, RATE * 2, true);
  header.setUint16(32, 2, true);
  header.setUint16(34, 16, true);
  tag(36, "data");
  header.setUint32(40, bytes, true);
  return header.buffer;
}
