// The page's policy lets it run scripts of its own server and no others, and Firefox has no way around that. The
// recorder is a module of a blob: it is asked for at the page's own server instead, with its text in the address,
// where the driver answers for the server. So the page is heard under the policy that it has for everybody.

export const ADDRESS = "/module-from-the-tests.js?";

/**
 * The text of a module whose address was made by `echoModules`; null for other addresses.
 * @param {string} url
 */
export function moduleAskedFor(url) {
  const at = url.indexOf(ADDRESS);
  return at < 0 ? null : decodeURIComponent(url.slice(at + ADDRESS.length));
}

/**
 * Runs in a page before its own scripts.
 * @param {string} address `ADDRESS`
 */
export function echoModules(address) {
  // The empty page that a tab begins with has no sound.
  if (!isSecureContext) return;
  /** @type {Map<string, Blob>} */
  const modules = new Map();
  const createObjectURL = URL.createObjectURL;
  URL.createObjectURL = (thing) => {
    const url = createObjectURL(thing);
    if (thing instanceof Blob && thing.type === "text/javascript") modules.set(url, thing);
    return url;
  };
  const addModule = AudioWorklet.prototype.addModule;
  /** @type {typeof addModule} */
  AudioWorklet.prototype.addModule = async function (url, options) {
    const text = await modules.get(String(url))?.text();
    return addModule.call(this, text === undefined ? url : address + encodeURIComponent(text), options);
  };
}
