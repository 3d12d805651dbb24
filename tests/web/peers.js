// Runs in a page before its own scripts: notes its peer connections, and how loud what comes over them is.
//
// Time is that of the sound itself: samples that have come. `window.peers` are the connections, `window.came` what came
// over the last one: `samples` so far, and `chunks`, each with where it ends and its peak.
(() => {
  /** @type {RTCPeerConnection[]} */
  const peers = [];
  /** @type {{samples: number, rate: number, chunks: [number, number][]}} */
  const came = { samples: 0, rate: 48_000, chunks: [] };

  /** @param {MediaStreamTrack} track */
  const listen = async (track) => {
    const Processor = /** @type {any} */ (globalThis).MediaStreamTrackProcessor;
    if (Processor === undefined) return;
    const reader = new Processor({ track }).readable.getReader();
    for (;;) {
      const { value: data, done } = await reader.read();
      if (done) return;
      const samples = new Float32Array(data.numberOfFrames);
      data.copyTo(samples, { planeIndex: 0, format: "f32-planar" });
      came.rate = data.sampleRate;
      came.samples += data.numberOfFrames;
      came.chunks.push([came.samples, samples.reduce((most, each) => Math.max(most, Math.abs(each)), 0)]);
      data.close();
    }
  };

  const Connection = globalThis.RTCPeerConnection;
  globalThis.RTCPeerConnection = class extends Connection {
    /** @param {RTCConfiguration} [configuration] */
    constructor(configuration) {
      super(configuration);
      peers.push(this);
      this.addEventListener("track", ({ track }) => listen(track));
    }
  };
  Object.assign(window, { peers, came });
})();
