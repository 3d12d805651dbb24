// Texts as the server takes them.

const utf8 = new TextEncoder();

/** A text in which each half of a surrogate pair that stands alone is a replacement character. @param {string} text */
export function wellFormed(text) {
  return text.replace(/\p{Surrogate}/gu, "\uFFFD");
}

/** What a server or a browser says, as a sentence of the page. @param {string} message */
export function sentence(message) {
  const begun = message.trim().replace(/^[a-z](?=[a-z']* )/, (letter) => letter.toUpperCase());
  return begun === "" || /[.!?…]$/.test(begun) ? begun : `${begun}.`;
}

/** A count as people read it. @param {number} count */
export function counted(count) {
  return count.toLocaleString("en");
}

/** Bytes of UTF-8, which is what the server's limits count. @param {string} text */
export function bytesOf(text) {
  return utf8.encode(text).length;
}
