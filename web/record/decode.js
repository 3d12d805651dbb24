// Opus packets to samples, without more of them in memory at a time than a few seconds.

import { CONFIG, packetSamples, RATE } from "../player/opus.js";
import { fileOf, turn } from "./ogg.js";

/** @typedef {import("./packets.js").Packets} Packets */
/** @typedef {(samples: Float32Array) => void} Take takes the next samples: mono, 48 kHz; they are not kept */

/** Packets that are given to the decoder before one is waited for. */
const AHEAD = 32;
/** Sound that is decoded at once where only whole files can be decoded, and what is decoded before it so that the
 * decoder has settled; both in samples. */
const PIECE = 10 * RATE;
const RUN_UP = RATE / 2;

/**
 * All samples that packets decode to, the first ones and the last ones (pre-skip, padding) included.
 *
 * @param {Packets} packets
 * @param {number} count how many of them
 * @param {Take} take
 */
export async function decode(packets, count, take) {
  if (typeof AudioDecoder === "function") {
    const { supported } = await AudioDecoder.isConfigSupported(CONFIG);
    if (supported) {
      return await decodePackets(packets, count, take);
    }
  }
  return await decodeFiles(packets, count, take);
}

/** @type {(packets: Packets, count: number, take: Take) => Promise<void>} */
async function decodePackets(packets, count, take) {
  /** @type {unknown} */
  let failure = null;
  let scratch = new Float32Array(2880);
  const decoder = new AudioDecoder({
    output(data) {
      if (data.numberOfFrames > scratch.length) {
        scratch = new Float32Array(data.numberOfFrames);
      }
      data.copyTo(scratch, { planeIndex: 0, format: "f32-planar" });
      take(scratch.subarray(0, data.numberOfFrames));
      data.close();
    },
    error(error) {
      failure = error;
    },
  });
  try {
    decoder.configure(CONFIG);
    let time = 0;
    for (let index = 0; index < count; index += 1) {
      const { payload } = packets.at(index);
      const timestamp = Math.round((time / RATE) * 1e6);
      decoder.decode(new EncodedAudioChunk({ type: "key", timestamp, data: payload }));
      time += packetSamples(payload);
      while (decoder.decodeQueueSize >= AHEAD && failure === null) {
        await new Promise((resolve) => decoder.addEventListener("dequeue", resolve, { once: true }));
      }
    }
    await decoder.flush();
  } catch (error) {
    failure ??= error;
  } finally {
    if (decoder.state !== "closed") {
      decoder.close();
    }
  }
  if (failure !== null) {
    throw failure;
  }
}

/** @type {(packets: Packets, count: number, take: Take) => Promise<void>} */
async function decodeFiles(packets, count, take) {
  const context = new OfflineAudioContext(1, 1, RATE);
  let from = 0;
  while (from < count) {
    const until = behind(packets, from, count, PIECE);
    const runUp = before(packets, from, RUN_UP);
    const skipped = samplesOf(packets, runUp, from);
    const samples = samplesOf(packets, from, until);
    const decoded = await decodeFile(context, packets, runUp, until, skipped + samples);
    take(decoded.subarray(skipped, skipped + samples));
    from = until;
    await turn();
  }
}

/**
 * @param {BaseAudioContext} context
 * @param {Packets} packets
 * @param {number} from
 * @param {number} until
 * @param {number} samples how many they decode to
 * @returns {Promise<Float32Array>}
 */
async function decodeFile(context, packets, from, until, samples) {
  /** @type {unknown} */
  let failure = null;
  for (const container of /** @type {const} */ (["ogg", "webm", "mp4"])) {
    try {
      // Nothing is to be dropped here, so that what comes out can be counted.
      const file = await fileOf(packets, { from, until, preSkip: 0, samples, container });
      const decoded = await context.decodeAudioData(await file.arrayBuffer());
      if (decoded.length >= samples) {
        return decoded.getChannelData(0);
      }
      failure = new Error(`this browser decodes ${decoded.length} of ${samples} samples`);
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

/** @type {(packets: Packets, from: number, until: number) => number} */
function samplesOf(packets, from, until) {
  let sum = 0;
  for (let index = from; index < until; index += 1) {
    sum += packetSamples(packets.at(index).payload);
  }
  return sum;
}

/** @type {(packets: Packets, from: number, count: number, samples: number) => number} */
function behind(packets, from, count, samples) {
  let index = from;
  for (let sum = 0; index < count && sum < samples; index += 1) {
    sum += packetSamples(packets.at(index).payload);
  }
  return index;
}

/** @type {(packets: Packets, from: number, samples: number) => number} */
function before(packets, from, samples) {
  let index = from;
  for (let sum = 0; index > 0 && sum < samples; index -= 1) {
    sum += packetSamples(packets.at(index - 1).payload);
  }
  return index;
}
