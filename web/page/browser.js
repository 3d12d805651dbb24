/**
 * What this browser lacks to speak, in words; empty when it has all.
 * @param {Record<string, unknown> & {isSecureContext?: boolean}} scope
 * @returns {string[]}
 */
export function lackingIn(scope) {
  const lacking = [];
  if (!("WebSocket" in scope)) lacking.push("WebSocket, over which text and sound travel");
  if (!("AudioContext" in scope)) lacking.push("AudioContext (Web Audio), through which all sound passes");
  const decodes = "AudioDecoder" in scope && "AudioWorkletNode" in scope;
  const plays = ["MediaSource", "ManagedMediaSource", "RTCPeerConnection"].some((name) => name in scope);
  if (!decodes && !plays) {
    lacking.push(
      scope.isSecureContext === false
        ? "MediaSource, or WebRTC; WebCodecs would do as well, but needs an address with https, or localhost"
        : "WebCodecs (AudioDecoder) with AudioWorklet, MediaSource, or WebRTC: one of them has to play Opus while it comes",
    );
  }
  return lacking;
}
