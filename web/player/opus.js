/** What must be known of Opus without decoding it. */

/** All positions and lengths are in samples at this rate, at which Opus is decoded here. */
export const RATE = 48_000;
/** For a decoder, and for a file. */
export const CONFIG = { codec: "opus", sampleRate: RATE, numberOfChannels: 1 };
/** `pre_skip` of the server's Opus, where nobody has told another. */
export const USUAL_PRE_SKIP = 312;

/** 20 ms of silence, mono. */
export const SILENCE = Uint8Array.of(0xf8, 0xff, 0xfe);
export const SILENCE_SAMPLES = 960;

const SILK = [480, 960, 1920, 2880];
const HYBRID = [480, 960];
const CELT = [120, 240, 480, 960];

/**
 * How long a packet sounds (RFC 6716, 3.1).
 * @param {Uint8Array} packet of at least one byte
 * @returns {number} in samples at 48 kHz
 */
export function packetSamples(packet) {
  const [toc = 0, count = 0] = packet;
  const configuration = toc >> 3;
  const lengths = configuration < 12 ? SILK : configuration < 16 ? HYBRID : CELT;
  const frames = [1, 2, 2, count & 63][toc & 3] ?? 0;
  return frames * (lengths[configuration % lengths.length] ?? 0);
}

/**
 * The identification header of a file (RFC 7845, 5.1), mono.
 * @param {number} preSkip samples at 48 kHz, 0 to 65535
 */
export function opusHead(preSkip) {
  const head = new Uint8Array(19);
  const view = new DataView(head.buffer);
  head.set(new TextEncoder().encode("OpusHead"));
  view.setUint8(8, 1);
  view.setUint8(9, 1);
  view.setUint16(10, preSkip, true);
  view.setUint32(12, RATE, true);
  return head;
}
