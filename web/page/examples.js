// Good texts to begin with.

/**
 * @typedef {object} Example
 * @property {string} label on its button
 * @property {string} text
 * @property {string} spoken the language of the text; without a voice for it there is no button
 * @property {string} [language] what is asked for; otherwise the server finds it out
 * @property {boolean} [llm] whether it is sent token by token
 */

/** What stands in the box when nobody has typed yet. */
export const GREETING =
  "This voice began before you looked up. Interrupt it whenever you like: it is silent at once, and it knows " +
  "which words you have heard.";

const ANSWER = `Good question! **Latency** is what a listener feels, so here is how it is kept small:

1. The first clause is spoken while the rest is still being written.
2. No sound is made far ahead of what you hear.
3. When you interrupt, everything stops, and the model learns what it did *not* get to say.

That last point matters most. Without it, an assistant believes it has told you things that you never heard.`;

const LONG = `The lighthouse keeper had counted ships for thirty years, and he had never been wrong. Every evening at six he climbed the one hundred and twelve steps, wound the clockwork, lit the lamp, and opened the great ledger on the sloping desk. He wrote the date first, in the same careful hand his father had taught him, and then he waited for the sea to fill the page.

On most nights it was easy. The mail boat came at seven, with its two green lanterns. The herring fleet went out at nine, so close together that they looked like a street that had decided to go for a walk. After midnight there were only the long, slow freighters, which passed so far away that he knew them by their patience alone.

But on the last night of October a light came up where no ship could be. It stood to the north, above the reef, where the water is so shallow that gulls can walk there at low tide. It did not move like a ship. It went up and down, up and down, as though somebody were nodding. The keeper rubbed the glass with his sleeve. He looked again. Then he did something he had never done before: he put down his pen, and left the line empty.

He took the small boat. The oars were stiff with salt, and the wind had an edge to it, but the sea lay flat and black, like a table that has been cleared. When he came near, he saw that the light was a lantern, and that the lantern was held by a girl of perhaps nine years, who stood on the highest rock with her shoes in her other hand.

"You are late," she said. "I have been waving for an hour."

"I was counting," said the keeper.

"Ships?" she asked, and he nodded. She thought about this, while he helped her into the boat. "And how many people?"

He had no answer. He rowed, and she held the lantern, and behind them the tide came in without a sound. In the morning he opened the ledger once more. He looked for a long time at the empty line. Then he wrote, in the same careful hand, a single word: one.`;

/** @type {readonly Example[]} */
export const EXAMPLES = [
  { label: "One word", text: "Hello!", spoken: "en" },
  { label: "An LLM’s answer", text: ANSWER, spoken: "en", llm: true },
  {
    label: "Numbers and markdown",
    text: "On **2024-01-15** at 9:30, Dr. Smith paid $3.50 for 2.5 kg of apples – 20 % less than in 1999. See `v2.0.1` at https://example.com/faq 🍎",
    spoken: "en",
  },
  {
    label: "Three languages",
    text: "Hello, and welcome to our meeting today. Guten Tag, schön, dass Sie heute hier sind. Bonjour à tous, nous sommes très heureux de vous voir.",
    spoken: "de",
  },
  { label: "Two minutes", text: LONG, spoken: "en" },
  {
    label: "Deutsch",
    text: "Guten Tag! Sie hören mich, noch bevor der Satz zu Ende geschrieben ist.",
    spoken: "de",
  },
  { label: "Français", text: "Bonjour ! Vous m’entendez avant même que la phrase soit finie.", spoken: "fr" },
  { label: "Español", text: "¡Hola! Me oyes antes de que la frase esté terminada.", spoken: "es" },
  { label: "Italiano", text: "Ciao! Mi senti prima ancora che la frase sia finita.", spoken: "it" },
  { label: "Português", text: "Olá! Você me ouve antes que a frase esteja pronta.", spoken: "pt" },
  { label: "Русский", text: "Здравствуйте! Вы слышите меня раньше, чем дописана фраза.", spoken: "ru" },
  { label: "中文", text: "你好！句子还没写完，你就已经听到我的声音了。", spoken: "zh" },
  {
    label: "日本語",
    text: "こんにちは。ぶんが おわるまえに、もう こえが きこえます。",
    spoken: "ja",
    language: "ja",
  },
  { label: "한국어", text: "안녕하세요! 문장이 끝나기도 전에 제 목소리가 들립니다.", spoken: "ko" },
];
