// Programs that say what is on the screen. They run as they are; a key is never written into one.

/** @typedef {import("./link.js").Screen} Screen */
/** @typedef {{origin: string, key: boolean}} Place the server's address, and whether it wants a key */

const PATH = "/v1/audio/speech";

/**
 * For a POSIX shell.
 * @param {Screen} screen
 * @param {Place} place
 */
export function curlOf(screen, { origin, key }) {
  const lines = [
    `curl -fsS ${quoted(origin + PATH)}`,
    ...(key ? ['-H "Authorization: Bearer $REALTIME_API_KEY"'] : []),
    "-H 'Content-Type: application/json'",
    // From a file "-d" would take what follows an "@"; JSON does not begin with one.
    `-d ${quoted(JSON.stringify(requestOf(screen)))}`,
    "-o speech.mp3",
  ];
  return `${lines.join(" \\\n  ")}\n`;
}

/**
 * For Python 3.11: with the standard library alone, or token by token with the client of the server's package.
 * @param {Screen} screen
 * @param {Place} place
 */
export function pythonOf(screen, place) {
  return screen.llm ? pythonTokens(screen, place) : pythonRequest(screen, place);
}

/**
 * For a page: a file that plays, or token by token with realtime.js.
 * @param {Screen} screen
 * @param {Place} place
 */
export function javaScriptOf(screen, place) {
  return screen.llm ? javaScriptTokens(screen, place) : javaScriptRequest(screen, place);
}

/** @type {(screen: Screen, place: Place) => string} */
function pythonRequest(screen, { origin, key }) {
  const fields = Object.entries(requestOf(screen)).map(
    ([name, value]) => `    "${name}": ${literal(value)},`,
  );
  return `import json
${key ? "import os\n" : ""}import urllib.request

what = {
${fields.join("\n")}
}
headers = {"Content-Type": "application/json"${key ? ', "Authorization": "Bearer " + os.environ["REALTIME_API_KEY"]' : ""}}
request = urllib.request.Request(${literal(origin + PATH)}, json.dumps(what).encode(), headers)
with urllib.request.urlopen(request) as answer, open("speech.mp3", "wb") as file:
    while part := answer.read1():  # it streams: the first bytes are here before the last word is made
        file.write(part)
`;
}

/** @type {(screen: Screen, place: Place) => string} */
function pythonTokens(screen, { origin, key }) {
  const settings = Object.entries(settingsOf(screen)).map(([name, value]) => `${name}=${literal(value)}`);
  return `import asyncio
${key ? "import os\n" : ""}import wave

from realtime.client import connect

URL = ${literal(origin.replace(/^http/, "ws"))}
TEXT = ${literal(screen.text)}


async def main():
    async with connect(URL, ${key ? 'api_key=os.environ["REALTIME_API_KEY"], ' : ""}formats=["pcm_s16le"], max_lead_ms=0) as session:
        context = session.open(${settings.join(", ")})

        async def write():
            for at in range(0, len(TEXT), 4):  # stands for the tokens of an LLM
                await context.send(TEXT[at : at + 4])
                await asyncio.sleep(1 / ${screen.rate})
            await context.end()

        writing = asyncio.create_task(write())
        with wave.open("speech.wav", "wb") as file:
            file.setparams((1, 2, 24_000, 0, "NONE", ""))
            async for chunk in context:
                file.writeframes(chunk.payload)
        await writing


asyncio.run(main())
`;
}

/** @type {(screen: Screen, place: Place) => string} */
function javaScriptRequest(screen, { origin, key }) {
  const fields = Object.entries(requestOf(screen)).map(([name, value]) => `    ${name}: ${inScript(value)},`);
  return `const response = await fetch(${inScript(origin + PATH)}, {
  method: "POST",
  headers: { "Content-Type": "application/json"${key ? ', Authorization: "Bearer " + prompt("API key")' : ""} },
  body: JSON.stringify({
${fields.join("\n")}
  }),
});
if (!response.ok) throw new Error((await response.json()).error.message);
await new Audio(URL.createObjectURL(await response.blob())).play();
`;
}

/** @type {(screen: Screen, place: Place) => string} */
function javaScriptTokens(screen, { origin, key }) {
  const settings = Object.entries(settingsOf(screen)).map(([name, value]) => `${name}: ${inScript(value)}`);
  return `import { connect } from ${inScript(`${origin}/realtime.js`)};

const text = ${inScript(screen.text)};
const session = connect(${inScript(origin)}, { timestamps: "word"${key ? ', apiKey: prompt("API key")' : ""} });
const context = session.open(${settings.length > 0 ? `{ ${settings.join(", ")} }` : ""});
context.addEventListener("words", ({ detail }) => console.log(detail.words.map((word) => word.text).join(" ")));
context.addEventListener("frame", ({ detail }) => {
  // detail.payload is one Opus packet: give it to an AudioDecoder, and play what comes out.
});
for (const [token] of text.matchAll(/[^]{1,4}/gu)) {
  context.send(token); // stands for the tokens of an LLM
  await new Promise((resolve) => setTimeout(resolve, 1000 / ${screen.rate}));
}
context.end();
console.log(await context.finished);
await session.close();
`;
}

/**
 * The body of a request for a file.
 * @param {Screen} screen
 * @returns {Record<string, string | number>}
 */
function requestOf(screen) {
  return { input: screen.text, ...settingsOf(screen) };
}

/**
 * What differs from what the server does anyway.
 * @param {Screen} screen
 * @returns {Record<string, string | number>}
 */
export function settingsOf({ voice, language, speed }) {
  return {
    ...(voice !== "" && { voice }),
    ...(language !== "auto" && { language }),
    ...(speed !== 1 && { speed }),
  };
}

/** A word of a POSIX shell that means exactly this. @param {string} text */
function quoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** A literal of Python, which reads all that JSON writes of strings and numbers. @param {string | number} value */
function literal(value) {
  return JSON.stringify(value);
}

/** A literal of JavaScript, also inside of a page's script element. @param {string | number} value */
function inScript(value) {
  return JSON.stringify(value).replaceAll("<", "\\u003c");
}
