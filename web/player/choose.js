/** Which players there are, which of them this browser can do, and the making of one. */

/** @typedef {import("./player.js").Kind} Kind */
/** @typedef {import("./player.js").Player} Player */

/**
 * @typedef {object} Support
 * @property {Kind} kind
 * @property {string} label what a person reads
 * @property {string[]} missing what the browser lacks for it; empty when it can be made
 */

/**
 * All players, the best (soonest to sound, soonest silent) first. The last needs a session with `audio: "rtc"`, which not
 * every network lets through: what comes in frames is preferred.
 * @returns {Support[]}
 */
export function supported() {
  const scope = /** @type {any} */ (globalThis);
  return [
    {
      kind: "webcodecs",
      label: "WebCodecs",
      // Both are hidden where the address is not secure; then that is what is missing.
      missing: scope.isSecureContext
        ? lacking({ AudioDecoder: "WebCodecs", AudioWorkletNode: "AudioWorklet" })
        : ["a secure address (https or localhost)"],
    },
    { kind: "mediasource", label: "MediaSource (WebM)", missing: sourceLacks("MediaSource", "audio/webm") },
    {
      kind: "managed",
      label: "ManagedMediaSource (MP4)",
      missing: sourceLacks("ManagedMediaSource", "audio/mp4"),
    },
    { kind: "webrtc", label: "WebRTC", missing: lacking({ RTCPeerConnection: "RTCPeerConnection" }) },
  ];
}

/**
 * Makes a player; rejects with an Error that says why when this browser cannot.
 * @param {Kind} kind
 * @param {AudioContext} audioContext at 48 kHz, may be suspended
 * @returns {Promise<Player>}
 */
export async function createPlayer(kind, audioContext) {
  const support = supported().find((one) => one.kind === kind);
  if (!support) throw new Error(`There is no player "${kind}".`);
  if (support.missing.length > 0) throw new Error(`${support.label} needs ${support.missing.join(" and ")}.`);
  switch (kind) {
    case "webcodecs":
      return (await import("./webcodecs.js")).createWebCodecsPlayer(audioContext);
    case "mediasource":
      return (await import("./mediasource.js")).createMediaSourcePlayer(audioContext);
    case "managed":
      return (await import("./managed.js")).createManagedPlayer(audioContext);
    case "webrtc":
      return (await import("./track.js")).createTrackPlayer(audioContext);
  }
}

/** @param {Record<string, string>} names of what must be there, and what a person calls it */
function lacking(names) {
  return Object.entries(names)
    .filter(([name]) => !(name in globalThis))
    .map(([, called]) => called);
}

/**
 * @param {"MediaSource" | "ManagedMediaSource"} name
 * @param {string} container
 */
function sourceLacks(name, container) {
  const source = /** @type {any} */ (globalThis)[name];
  if (!source) return [name];
  return source.isTypeSupported(`${container}; codecs="opus"`) ? [] : [`Opus in ${container}`];
}
