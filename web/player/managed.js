/**
 * The player by ManagedMediaSource, for Safari (17.1 and later, also on iPhones, which have no MediaSource):
 * MP4, for its WebM has no Opus on all of its systems.
 *
 * What differs from MediaSource: `startstreaming` and `endstreaming` say when the browser wants sound, and
 * an element only gets such a source when it has no remote playback (AirPlay); both are seen to by the deck,
 * for all browsers.
 */

import { createSourcePlayer } from "./sourceplayer.js";

/**
 * @param {AudioContext} context at 48 kHz, may be suspended
 * @returns {Promise<import("./player.js").Player>}
 */
export function createManagedPlayer(context) {
  const { ManagedMediaSource } = /** @type {any} */ (globalThis);
  return createSourcePlayer("managed", "ManagedMediaSource (MP4)", context, {
    Source: ManagedMediaSource,
    // WebKit drops whole packets at the edges of the append window, and cuts none.
    trims: false,
    container: {
      type: 'audio/mp4; codecs="opus"',
      format: ({ Mp4OutputFormat }) =>
        new Mp4OutputFormat({ fastStart: "fragmented", minimumFragmentDuration: 0 }),
      withoutIndex: (last) => last.subarray(0, last.length - indexBytes(last)),
    },
  });
}

/**
 * The size of the box `mfra`, which is last in a file: its own last four bytes tell it (ISO/IEC 14496-12,
 * 8.8.11).
 * @param {Uint8Array<ArrayBuffer>} bytes
 */
function indexBytes(bytes) {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(bytes.length - 4);
}
