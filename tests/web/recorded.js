// Runs in a page: makes logs of utterances, some of what the server really sends, some of what is written in a test.
(() => {
  /** @typedef {import("../../web/record/log.js").UtteranceLog} UtteranceLog */

  /** @param {string} name a module of the page */
  const module = (name) => import(new URL(name, location.origin).href);

  /**
   * What the server says a text is, in a log, to its end; nothing is played.
   *
   * @param {string} text in ASCII, so that code points are UTF-16 units
   * @param {Record<string, unknown>} settings of the session
   * @returns {Promise<UtteranceLog>}
   */
  const speak = async (text, settings = {}) => {
    const { UtteranceLog } = await module("/record/log.js");
    const socket = new WebSocket(new URL("/v1/audio/speech/ws", location.href.replace(/^http/, "ws")));
    socket.binaryType = "arraybuffer";
    await new Promise((resolve) => socket.addEventListener("open", resolve, { once: true }));
    const log = new UtteranceLog("test", { mode: "text" });
    log.text = text;
    const over = new Promise((resolve, reject) => {
      socket.onclose = () => reject(new Error("closed"));
      socket.onmessage = ({ data }) => {
        const at = performance.now();
        if (typeof data !== "string") {
          log.frame(frameOf(data), at);
          return;
        }
        const message = JSON.parse(data);
        if (message.type === "segment") {
          log.segment({ ...message, range: message.source }, at);
        } else if (message.type === "words") {
          const words = message.words.map((/** @type {{source: number[]}} */ word) => ({
            ...word,
            range: word.source,
          }));
          log.words({ ...message, words }, at);
        } else if (message.type === "context.done") {
          log.done(message, at);
          resolve(null);
        }
      };
    });
    const start = { formats: ["opus"], timestamps: "word", max_lead_ms: 0, ...settings };
    for (const message of [{ type: "session.start", ...start }, { type: "text", text }, { type: "end" }]) {
      socket.send(JSON.stringify(message));
    }
    log.tokenSent(performance.now(), 0, text.length);
    log.textEnded(performance.now());
    await over;
    socket.onclose = null;
    socket.close(1000);
    return log;
  };

  /** @param {ArrayBuffer} data */
  const frameOf = (data) => {
    const header = new DataView(data);
    return {
      kind: header.getUint8(1),
      last: (header.getUint16(2) & 2) !== 0,
      duration: header.getUint32(12),
      position: Number(header.getBigUint64(16)),
      payload: new Uint8Array(data, 24),
    };
  };

  /**
   * @param {string} text
   * @param {[string, ...unknown[]][]} calls methods of the log and what they are given
   * @param {Record<string, unknown>} settings
   * @returns {Promise<UtteranceLog>}
   */
  const scripted = async (text, calls, settings = {}) => {
    const { UtteranceLog } = await module("/record/log.js");
    const log = new UtteranceLog("test", settings);
    log.text = text;
    for (const [method, ...given] of calls) {
      if (method === "frame") {
        const [frame, at] = /** @type {[Record<string, number>, number]} */ (given);
        const payload = new Uint8Array(frame.bytes ?? 160).fill(0xd8, 0, 1);
        log.frame({ position: 0, duration: 960, kind: 1, ...frame, payload }, at);
      } else {
        log[method](...given);
      }
    }
    return log;
  };

  /** @param {Blob} blob */
  const base64 = async (blob) => {
    const bytes = new Uint8Array(await blob.arrayBuffer());
    let text = "";
    for (let offset = 0; offset < bytes.length; offset += 32_768) {
      text += String.fromCharCode(...bytes.subarray(offset, offset + 32_768));
    }
    return btoa(text);
  };

  Object.assign(globalThis, { recorded: { speak, scripted, base64, module } });
})();
