import { CONNECTION_FAILED, RealtimeError } from "./errors.js";
import { receptionOf } from "./reception.js";

/** @import {Ready, TrackState} from "../realtime.js" */
/** @import {Session} from "./session.js" */

const PATH_END = /\/ws$/;
/** A peer connection that has not come about by then never will: a firewall lets nothing through. */
const PATIENCE_MS = 10_000;
/** A way that does not answer may be back in a moment, as in a lift. */
const DISCONNECTED_MS = 2000;
const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 5000;
/** Of SDP: the address of each. */
const CANDIDATE = /^a=candidate:\S+ \d+ \S+ \d+ (\S+)/gm;
const LOOPBACK = /^(127\.|::1$)/;
/** With these it is of no use to try again: no such server, no such session, no right to it. */
const FINAL_STATUSES = new Set([400, 401, 403, 404, 405, 406, 409, 410, 413, 415, 422]);

/**
 * The sound of a session that is led with `audio: "rtc"`: a peer connection, and another one in its place when it is
 * lost. realtime.d.ts says how it is used.
 *
 * 1. The way back is always a new offer: it costs two ways there and back more than a new begin of ICE, and works
 *    also where the server has given the old one up. The server has the track until then, and loses nothing of it.
 * 2. The old connection is kept until the new one is there: it may come back by itself.
 */
export class Track extends EventTarget {
  /** @type {TrackState} */
  state = "connecting";
  /** @type {MediaStream | null} */
  stream = null;
  #session;
  #url;
  /** The one that sounds. @type {RTCPeerConnection | null} */
  #peer = null;
  /** The one that is to take its place. @type {RTCPeerConnection | null} */
  #next = null;
  /** @type {WeakMap<RTCPeerConnection, MediaStreamTrack>} */
  #sounds = new WeakMap();
  #tries = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #stop = new AbortController();

  /** @param {Session} session */
  constructor(session) {
    super();
    if (!("RTCPeerConnection" in globalThis))
      throw new RealtimeError(CONNECTION_FAILED, "there is no RTCPeerConnection here");
    this.#session = session;
    this.#url = new URL(session._address);
    this.#url.protocol = this.#url.protocol.replace(/^ws/, "http");
    this.#url.pathname = this.#url.pathname.replace(PATH_END, "/rtc");
    this.#url.search = "";
    const listening = { signal: this.#stop.signal };
    // Why a session is over it tells itself.
    const over = () => session.state === "closed" && this.#end(null, "the session is over");
    session.addEventListener("state", over, listening);
    session.addEventListener("resumed", () => this.#look(), listening);
    session.addEventListener(
      "track",
      (event) => this.#told(/** @type {any} */ (event).detail.state),
      listening,
    );
    globalThis.addEventListener?.("online", () => this.#look(), listening);
    session.ready.then((ready) => this.#begin(ready), over);
  }

  /** What has come of it, as the browser counts; null while there is no connection. */
  async stats() {
    const peer = this.#peer;
    return peer === null ? null : receptionOf(await peer.getStats());
  }

  close() {
    this.#end(null, "closed here");
  }

  /** @param {Ready} ready */
  #begin(ready) {
    if (ready.audio === "rtc") this.#dial();
    else this.#end(new RealtimeError(CONNECTION_FAILED, 'the session was not begun with `audio: "rtc"`'));
  }

  /** Whether it sounds; else tries at once. */
  #look() {
    if (this.#next === null && this.#peer?.connectionState !== "connected")
      this.#again(0, "the way has changed");
  }

  /** @param {string} state what the server says of it */
  #told(state) {
    // It knows sooner than we do: it gives up a way on which nothing comes back.
    if (state === "disconnected" && this.#next === null && this.#peer !== null)
      this.#again(0, "the server hears nothing of us on this way");
  }

  // -- one connection after another -----------------------------------------------------------------------

  async #dial() {
    clearTimeout(this.#timer);
    const { rtc_token: token = "", ice_servers: iceServers = [] } = this.#session.settings ?? {};
    const peer = new RTCPeerConnection({ iceServers });
    this.#next = peer;
    this.#timer = setTimeout(() => this.#failed(peer, unconnected(peer)), PATIENCE_MS);
    peer.ontrack = ({ track }) => this.#take(peer, track);
    peer.onconnectionstatechange = () => this.#changed(peer);
    peer.addTransceiver("audio", { direction: "recvonly" });
    try {
      await peer.setLocalDescription();
      const response = await fetch(this.#url, {
        method: "POST",
        headers: { "Content-Type": "application/sdp", Authorization: `Bearer ${token}` },
        // Nobody waits for our addresses: the server learns them by where our checks come from.
        body: peer.localDescription?.sdp ?? "",
        signal: this.#stop.signal,
        cache: "no-store",
      });
      if (this.#next !== peer) return;
      if (response.status !== 201) return this.#refused(peer, response);
      await peer.setRemoteDescription({ type: "answer", sdp: await response.text() });
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.#failed(peer, new RealtimeError(CONNECTION_FAILED, `the offer could not be made: ${why}`));
    }
  }

  /** @type {(peer: RTCPeerConnection, track: MediaStreamTrack) => void} */
  #take(peer, track) {
    this.#sounds.set(peer, track);
    if (this.#peer?.connectionState !== "connected") this.#play(peer);
  }

  /** What comes over this connection is to be heard. @param {RTCPeerConnection} peer */
  #play(peer) {
    const track = this.#sounds.get(peer);
    if (track === undefined || this.stream?.getTracks()[0] === track) return;
    this.stream = new MediaStream([track]);
    this.#tell("track", track);
  }

  /** @param {RTCPeerConnection} peer */
  #changed(peer) {
    const state = peer.connectionState;
    if (peer === this.#next) {
      if (state === "connected") this.#connected(peer);
      else if (state === "failed" || state === "closed") this.#failed(peer, unconnected(peer));
    } else if (peer === this.#peer && this.#next === null) {
      if (state === "connected") this.#setState("connected");
      else if (state === "disconnected") this.#again(DISCONNECTED_MS, "nothing comes any more");
      else if (state === "failed" || state === "closed") this.#again(0, "the connection was lost");
    }
  }

  /** @param {RTCPeerConnection} peer */
  #connected(peer) {
    clearTimeout(this.#timer);
    end(this.#peer);
    this.#peer = peer;
    this.#next = null;
    this.#tries = 0;
    this.#play(peer);
    this.#setState("connected");
  }

  /** @type {(peer: RTCPeerConnection, response: Response) => Promise<void>} */
  async #refused(peer, response) {
    const { error } = await response.json().catch(() => ({}));
    const waitMs = Number(response.headers.get("Retry-After")) * 1000 || null;
    const message = error?.message ?? `the server answered with HTTP ${response.status}`;
    const failure = new RealtimeError(error?.code ?? CONNECTION_FAILED, message, { retryAfterMs: waitMs });
    if (FINAL_STATUSES.has(response.status)) this.#end(failure);
    else this.#failed(peer, failure);
  }

  /** @type {(peer: RTCPeerConnection, error: RealtimeError) => void} */
  #failed(peer, error) {
    if (this.#next !== peer) return;
    this.#next = null;
    end(peer);
    const waitMs = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** this.#tries) * (0.5 + Math.random() / 2);
    this.#tries += 1;
    if (this.#peer?.connectionState === "connected") {
      // It has come back by itself.
      this.#play(this.#peer);
      this.#setState("connected");
      return;
    }
    this.#tell("error", error);
    this.#again(Math.max(waitMs, error.retryAfterMs ?? 0), error.message);
  }

  /** Another connection is made in so many ms, unless the present one is back by then. @type {(inMs: number, why: string) => void} */
  #again(inMs, why) {
    if (this.state === "closed") return;
    this.#setState("lost", { reason: why, retryInMs: inMs });
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      // Without a socket there is nobody to ask; `resumed` tries again.
      if (this.#next === null && this.state === "lost" && this.#session.state === "open") this.#dial();
    }, inMs);
  }

  /** @type {(error: RealtimeError | null, why?: string) => void} */
  #end(error, why = error?.message ?? "") {
    if (this.state === "closed") return;
    clearTimeout(this.#timer);
    this.#stop.abort();
    end(this.#peer);
    end(this.#next);
    this.#peer = this.#next = null;
    this.stream = null;
    this.state = "closed";
    if (error !== null) this.#tell("error", error);
    this.#setState("closed", { reason: why });
  }

  /** @type {(state: TrackState, more?: {reason?: string, retryInMs?: number}) => void} */
  #setState(state, more = {}) {
    this.state = state;
    this.#tell("state", { state, ...more });
  }

  /** @type {(type: string, detail: unknown) => void} */
  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** @param {RTCPeerConnection | null} peer whose server hears of it by the end of its encryption */
function end(peer) {
  if (peer === null) return;
  peer.ontrack = peer.onconnectionstatechange = null;
  peer.close();
}

/** @param {RTCPeerConnection} peer */
function unconnected(peer) {
  const offered = [...(peer.remoteDescription?.sdp ?? "").matchAll(CANDIDATE)].map(
    ([, address = ""]) => address,
  );
  const why =
    offered.length > 0 && offered.every((address) => LOOPBACK.test(address))
      ? `the server is only at ${offered.join(" and ")}, to which some browsers, as Firefox, make none: its ` +
        "RTC_ADDRESSES can name another address of its machine"
      : "it may be that a firewall lets no UDP through";
  return new RealtimeError(CONNECTION_FAILED, `no peer connection to the server came about; ${why}`);
}
