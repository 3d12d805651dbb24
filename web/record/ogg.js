// Ogg, WebM and MP4 files of packets that are there already; nothing is decoded or encoded.

import { CONFIG, opusHead, packetSamples, RATE } from "../player/opus.js";

/** @typedef {import("./packets.js").Packets} Packets */
/** @typedef {"ogg" | "webm" | "mp4"} Container */

/** Packets that are written before others of the page have their turn. */
const AT_A_TIME = 256;

/** @type {Record<Container, string>} */
const TYPES = { ogg: "audio/ogg", webm: "audio/webm", mp4: "audio/mp4" };

/**
 * @param {Packets} packets
 * @param {object} what
 * @param {number} what.from the first packet
 * @param {number} what.until the one behind the last
 * @param {number} what.preSkip samples at 48 kHz that a decoder drops at the beginning
 * @param {number} what.samples samples at 48 kHz that are left when it has done so and has cut the end
 * @param {string} [what.title]
 * @param {Container} [what.container] MP4 and WebM are not cut at the end
 * @returns {Promise<Blob>}
 */
export async function fileOf(packets, { from, until, preSkip, samples, title = "", container = "ogg" }) {
  const { AppendOnlyStreamTarget, EncodedAudioPacketSource, EncodedPacket, ...formats } = await import(
    "../vendor/mediabunny.js"
  );
  /** @type {Uint8Array<ArrayBuffer>[]} */
  const parts = [];
  const target = new AppendOnlyStreamTarget(
    new WritableStream({
      write(chunk) {
        parts.push(new Uint8Array(chunk));
      },
    }),
  );
  // Without a page each second, a page of very small packets could end amid two of them with the time of the former.
  const format =
    container === "ogg"
      ? new formats.OggOutputFormat({ maximumPageDuration: 1 })
      : container === "webm"
        ? new formats.WebMOutputFormat({ appendOnly: true })
        : new formats.Mp4OutputFormat({ fastStart: "fragmented" });
  const output = new formats.Output({ format, target });
  const source = new EncodedAudioPacketSource("opus");
  output.addAudioTrack(source);
  if (title !== "") {
    output.setMetadataTags({ title });
  }
  await output.start();
  const meta = { decoderConfig: { ...CONFIG, description: opusHead(preSkip) } };
  let time = 0;
  const end = preSkip + samples;
  for (let index = from; index < until; index += 1) {
    const { payload } = packets.at(index);
    // The last packet's duration says where a decoder must cut.
    const length = Math.min(packetSamples(payload), Math.max(1, end - time));
    await source.add(new EncodedPacket(payload, "key", time / RATE, length / RATE), meta);
    time += length;
    if ((index - from) % AT_A_TIME === AT_A_TIME - 1) {
      await turn();
    }
  }
  await output.finalize();
  return new Blob(parts, { type: TYPES[container] });
}

/** @returns {Promise<void>} when others have had their turn; unlike a timer it is not slowed in a hidden tab */
export function turn() {
  return new Promise((resolve) => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => {
      channel.port1.close();
      resolve();
    };
    channel.port2.postMessage(null);
  });
}
