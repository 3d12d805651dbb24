# ruff: noqa: RUF001 - phonemes are written in IPA
"""From the International Phonetic Alphabet to the phonemes of the embedded voice, which speaks US English.

The voice's alphabet has one letter for each diphthong and affricate, and marks stress directly before the
vowel, not before the syllable. Sounds that US English does not have become the nearest that it has. An r is
heard wherever one is written, and a t between vowels is the one of "water" (ɾ, the voice's T) unless it opens
a stressed syllable or is written with its breath (tʰ).
"""

from __future__ import annotations

import re
import unicodedata

_PRIMARY, _SECONDARY, _ASPIRATED = "ˈ", "ˌ", "ʰ"
_WEAK = "əᵊᵻ"
_VOWELS = "AIOWYiuæɑɔɛɜɪʊʌ" + _WEAK
_IPA_VOWELS = "aeiouyæøœɐɑɒɔɘəɛɜɞɤɨɪɯɵɶʉʊʌʏᵊᵻ"
_CONSONANTS = "bcdfhjklmnpqstvwxzçðħŋɓɕɖɗɟɠɡɢɣɥɦɫɬɭɮɰɱɲɳɴɸɹɾʂʃʈʋʎʐʑʒʔʝʟβθχʣʤʥʦʧʨʍ"

# Before anything else: what is one sound, written in another way.
_TIES = str.maketrans("", "", "\u0361\u035c")
_SPELLINGS = {
    **dict.fromkeys("rɻʀʁɽɺ\u02de", "ɹ"),
    "g": "ɡ",
    "ɚ": "əɹ",
    "ɝ": "ɜɹ",
    "'": _PRIMARY,
    "eː": "eɪ",
    "əː": "ɜ",
}
# Then several letters together; of those that fit at a place the first in this order is taken.
_CLUSTERS = {
    # a vowel and an r
    "eəɹ?|ɛəɹ?|eɪɹ|eɹ|ɛɹ": "ɛɹ",
    "ɪəɹ|iɹ|ɪɹ": "ɪɹ",
    "ʊəɹ|uɹ|ʊɹ": "ʊɹ",
    "oʊɹ|oɹ|ɔɹ|ɒɹ": "ɔɹ",
    "ɜɹ?|ʌɹ|øɹ?|œɹ?": "ɜɹ",
    # diphthongs
    "e[ɪi]|ɛɪ": "A",
    "[aɑʌ][ɪi]": "I",
    "[aɑæ][ʊu]": "W",
    "[ɔo][ɪi]": "Y",
    "[oəɔ]ʊ|ou": "O",
    "ɪə": "iə",
    # in a closed syllable as in "bed", else as in "café"
    f"e(?=[{_CONSONANTS}])": "ɛ",
    "e": "A",
    # affricates, and the "wh" of some
    "tʃ|tɕ|[tʈ]ʂ|ʨ": "ʧ",
    "dʒ|dʑ|[dɖ]ʐ|ʥ": "ʤ",
    "hw": "w",
}
# Single letters that are not the voice's own. What is in no table is not spoken.
_LETTERS = {
    **dict.fromkeys("aɒ", "ɑ"),
    **dict.fromkeys("ɐɘɵ", "ə"),
    **dict.fromkeys("ɤɞ", "ʌ"),
    **dict.fromkeys("yʉɯ", "u"),
    "o": "O",
    "ɶ": "æ",
    "ʏ": "ʊ",
    "ɨ": "ᵻ",
    **dict.fromkeys("ɫɭʟɬɮ", "l"),
    "ʎ": "lj",
    "ɲ": "nj",
    "ɱ": "m",
    "ɳ": "n",
    "ɴ": "ŋ",
    **dict.fromkeys("xχcq", "k"),
    **dict.fromkeys("ɣɢɟɠ", "ɡ"),
    **dict.fromkeys("çɕʂ", "ʃ"),
    **dict.fromkeys("ʑʐ", "ʒ"),
    **dict.fromkeys("ħɦ", "h"),
    **dict.fromkeys("ɥɰʍ", "w"),
    **dict.fromkeys("βʋ", "v"),
    "ʝ": "j",
    "ɸ": "f",
    "ɓ": "b",
    **dict.fromkeys("ɖɗ", "d"),
    **dict.fromkeys("ʈʔ", "t"),
    "ɾ": "T",
    "ʦ": "ts",
    "ʣ": "dz",
    **{own: own for own in "bdfhijklmnpstuvwzæðŋɑɔəɛɡɪɹʃʊʌʒʤʧθᵊᵻ ˈˌʰ"},
}
_SPELLING = re.compile("|".join(sorted(_SPELLINGS, key=len, reverse=True)))
_CLUSTER = re.compile("|".join(f"({pattern})" for pattern in _CLUSTERS))
_CLUSTER_SOUNDS = tuple(_CLUSTERS.values())
_SYLLABIC = re.compile("(.)[\u0329\u030d]")
_NASAL = re.compile(f"([{_IPA_VOWELS}])\u0303([mnŋɲɱ]?)")
_FLAPPED = re.compile(f"(?<=[{_VOWELS}ɹ])t(?=[{_VOWELS}])(?![əᵊɪ]n)")
# The tap of other languages is an r but where Americans say a t so.
_TAPPED_R = re.compile(f"(?<![{_VOWELS}ɹ])T|T(?![{_VOWELS}])")


def to_voice_phonemes(ipa: str) -> str | None:
    """The voice's phonemes for a pronunciation in IPA, broad or narrow; None when it knows nothing of it.

    Words may stand with spaces between them. Where no stress is marked, each word has it on its first full
    vowel. Brackets, tones, and what is no sound of any language are left out. Never raises.
    """
    letters = unicodedata.normalize("NFD", ipa).replace("c\u0327", "ç").translate(_TIES)
    letters = _SYLLABIC.sub(lambda found: ("ə" if found[1] in "rɹ" else "ᵊ") + found[1], letters)
    letters = _NASAL.sub(lambda found: found[1] + (found[2] or "n"), letters)
    letters = "".join(letter for letter in letters if not unicodedata.combining(letter))
    letters = _SPELLING.sub(lambda found: _SPELLINGS[found[0]], letters).replace("ː", "").replace("ˑ", "")
    sounds: list[str] = []
    done = 0
    for cluster in _CLUSTER.finditer(letters):
        sounds += [_LETTERS.get(letter, "") for letter in letters[done : cluster.start()]]
        sounds.append(_CLUSTER_SOUNDS[(cluster.lastindex or 1) - 1])
        done = cluster.end()
    sounds += [_LETTERS.get(letter, "") for letter in letters[done:]]
    spoken = _stress_at_vowels("".join(sounds).replace("ɹɹ", "ɹ"))
    if _PRIMARY not in spoken and _SECONDARY not in spoken:
        spoken = " ".join(map(_stressed, spoken.split(" ")))
    spoken = _FLAPPED.sub("T", _TAPPED_R.sub("ɹ", spoken)).replace(_ASPIRATED, "")
    return " ".join(spoken.split()) or None


def _stressed(word: str) -> str:
    """With stress on the first vowel that is not a weak one; "the" and its like stay without."""
    for at, sound in enumerate(word):
        if sound in _VOWELS and sound not in _WEAK:
            return word[:at] + _PRIMARY + word[at:]
    return word


def _stress_at_vowels(spoken: str) -> str:
    """Each mark of stress directly before the vowel that it is meant for; one without a vowel is left out."""
    placed: list[str] = []
    waiting = ""
    for sound in spoken:
        if sound in (_PRIMARY, _SECONDARY):
            waiting = _PRIMARY if _PRIMARY in (waiting, sound) else sound
            continue
        if sound == " ":
            waiting = ""
        elif waiting and sound in _VOWELS:
            placed.append(waiting)
            waiting = ""
        placed.append(sound)
    return "".join(placed)
