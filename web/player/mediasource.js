/** The player by MediaSource Extensions: WebM, written in the page packet by packet. */

import { createSourcePlayer } from "./sourceplayer.js";

const NONE = new Uint8Array(0);

/**
 * @param {AudioContext} context at 48 kHz, may be suspended
 * @returns {Promise<import("./player.js").Player>}
 */
export function createMediaSourcePlayer(context) {
  return createSourcePlayer("mediasource", "MediaSource (WebM)", context, {
    Source: MediaSource,
    trims: true,
    container: {
      type: 'audio/webm; codecs="opus"',
      format: ({ WebMOutputFormat }) => new WebMOutputFormat({ appendOnly: true }),
      // All packets are out before; what is left is the index alone.
      withoutIndex: () => NONE,
    },
  });
}
