/** What must be known of an Opus packet (RFC 6716, 3.1) without decoding it. */

/** 20 ms of silence, mono. */
export const SILENCE = Uint8Array.of(0xf8, 0xff, 0xfe);
export const SILENCE_SAMPLES = 960;

const SILK = [480, 960, 1920, 2880];
const HYBRID = [480, 960];
const CELT = [120, 240, 480, 960];

/**
 * How long a packet sounds.
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
