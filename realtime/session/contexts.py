"""Contexts of one session: their order, ids and handles, and the ledger of each one's text.

States, and what moves between them (a table below):

    open --end--> ending --finished--> done
    open, ending --failed--> failed
    open, ending, done, failed --cancel--> cancelled
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Literal

from realtime.session.messages import PlaybackState
from realtime.session.offer import ContextSettings
from realtime.types import Failed, SourceWord

CancelReason = Literal["cancelled", "preempted"]
#: Text and times are kept this long after the estimated end of playing,
KEEP_S = 60.0
#: but of no more contexts than this, and no more bytes of text in all: the oldest are forgotten first.
KEPT_CONTEXTS = 256
KEPT_TEXT_BYTES = 1024 * 1024


class State(Enum):
    """Of a context."""

    OPEN = auto()
    ENDING = auto()
    DONE = auto()
    FAILED = auto()
    CANCELLED = auto()


class Step(Enum):
    """What moves a context to another state."""

    END = auto()
    FINISHED = auto()
    FAILED = auto()
    CANCEL = auto()


TRANSITIONS: dict[tuple[State, Step], State] = {
    (State.OPEN, Step.END): State.ENDING,
    (State.ENDING, Step.FINISHED): State.DONE,
    (State.OPEN, Step.FAILED): State.FAILED,
    (State.ENDING, Step.FAILED): State.FAILED,
    (State.OPEN, Step.CANCEL): State.CANCELLED,
    (State.ENDING, Step.CANCEL): State.CANCELLED,
    (State.DONE, Step.CANCEL): State.CANCELLED,
    (State.FAILED, Step.CANCEL): State.CANCELLED,
}


@dataclass(frozen=True, slots=True)
class Cut:
    """Where a context's text was cut: characters before `offset` were heard."""

    played_ms: float
    offset: int


class Ledger:
    """What was sent of a context's text, and which word ends when."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self.text_bytes = 0
        self.characters = 0
        self._word_ends: list[int] = []  # timeline samples
        self._word_starts: list[int] = []  # source characters
        self._word_sources: list[int] = []  # the source character after the word

    def append(self, text: str, text_bytes: int) -> None:
        """Text that the client sent."""
        self._parts.append(text)
        self.text_bytes += text_bytes
        self.characters += len(text)

    def timed(self, words: tuple[SourceWord, ...]) -> None:
        """Words whose sound is about to be sent."""
        for word in words:
            self._word_ends.append(word.end)
            self._word_starts.append(word.source_start)
            self._word_sources.append(word.source_end)

    def text(self) -> str:
        """All text so far."""
        if len(self._parts) > 1:
            self._parts = ["".join(self._parts)]
        return self._parts[0] if self._parts else ""

    def cut(self, position: int) -> tuple[str, str]:
        """The text heard up to `position` (timeline samples), and the rest.

        The cut falls after the last word that ended by then, with its trailing punctuation and space.
        """
        text = self.text()
        heard = bisect_right(self._word_ends, position)
        offset = _after_word(text, self._word_sources[heard - 1]) if heard else 0
        if 0 < heard < len(self._word_starts):  # what follows is a word although it may not look like one
            offset = max(self._word_sources[heard - 1], min(offset, self._word_starts[heard]))
        return text[:offset], text[offset:]


#: Signs that are words of their own when they stand alone: "salt & pepper", "2 + 2".
_SAID = frozenset("&+=%<>@#°$£€¥\u00d7\u00f7\u00b1")


def _after_word(text: str, position: int) -> int:
    """Index of what follows the word that ends at `position`: past closing punctuation, signs and space.

    After a space, what touches the next word is that word's own: an opening quote, "¿", a currency, "**".
    """
    while position < len(text) and not text[position].isspace():
        if _begins_word(text[position]):
            return position
        position += 1
    while position < len(text):
        start = position
        while start < len(text) and text[start].isspace():
            start += 1
        end = start
        while end < len(text) and not text[end].isspace():
            if text[end].isalnum() or text[end] in _SAID:
                return start
            end += 1
        position = end  # nothing in it is a word
    return position


def _begins_word(character: str) -> bool:
    """Whether a character that touches the word before it belongs to the next one all the same."""
    if character.isalnum() or character in "$£€¥#@&+<":
        return True
    return unicodedata.category(character) in ("Ps", "Pi")


@dataclass(slots=True, eq=False)
class Context:
    """One context of a session."""

    context_id: str
    handle: int
    settings: ContextSettings
    opened_at: float
    state: State = State.OPEN
    ledger: Ledger = field(default_factory=Ledger)
    first_text_at: float | None = None
    first_frame_at: float | None = None
    last_activity: float = 0.0
    sent: int = 0  # timeline samples
    last_seq: int | None = None
    paused: bool = False
    warned_closed: bool = False
    failure_told: bool = False
    failure: Failed | None = None  # what it will end with when its turn comes
    pending_flushes: int = 0
    cancel_reason: CancelReason = "cancelled"
    cut: Cut | None = None
    playback: PlaybackState | None = None  # over a track, as the client was told last
    forget_at: float | None = None

    def step(self, step: Step) -> bool:
        """Move to the next state; False when the step means nothing in this one."""
        target = TRANSITIONS.get((self.state, step))
        if target is None:
            return False
        self.state = target
        return True

    @property
    def closed_to_text(self) -> bool:
        """Whether late text is dropped, and only `context.open` opens the id again."""
        return self.failure_told or self.state in (State.FAILED, State.CANCELLED)

    @property
    def takes_text(self) -> bool:
        """Whether it is open, and nothing has gone wrong."""
        return self.state is State.OPEN and not self.failure_told

    @property
    def live(self) -> bool:
        """Whether something may still be spoken of it."""
        # Asked for with every frame: to look for it in a set would cost a hash each time.
        return self.state is State.OPEN or self.state is State.ENDING


class Contexts:
    """All contexts of a session that are still known, in the order in which they were opened."""

    def __init__(self) -> None:
        self._by_handle: dict[int, Context] = {}
        self._latest: dict[str, Context] = {}
        self._live: dict[int, Context] = {}
        self._kept: dict[int, Context] = {}
        self._kept_bytes = 0
        self._next_handle = 1

    def open(self, context_id: str, settings: ContextSettings, now: float) -> Context:
        """A new context, last in the order."""
        context = Context(context_id, self._next_handle, settings, now, last_activity=now)
        self._next_handle += 1
        self._by_handle[context.handle] = self._live[context.handle] = context
        self._latest[context_id] = context
        return context

    @property
    def last_handle(self) -> int:
        """The handle of the context that was opened last, 0 before the first."""
        return self._next_handle - 1

    def latest(self, context_id: str) -> Context | None:
        """The context that was last opened under an id, if it is still known."""
        return self._latest.get(context_id)

    def get(self, handle: int) -> Context | None:
        """A context by its handle, if it is still known."""
        return self._by_handle.get(handle)

    def known(self) -> list[Context]:
        """All of them, oldest first."""
        return list(self._by_handle.values())

    def live(self) -> list[Context]:
        """Those that may still speak, in the order in which they will."""
        return [context for context in self._live.values() if context.live]

    def head(self) -> Context | None:
        """The one whose turn it is."""
        return next((context for context in self._live.values() if context.live), None)

    def retire(self, context: Context, forget_at: float) -> list[Context]:
        """`context` is over; it is kept until `forget_at`. Returns those that are forgotten to make room."""
        context.forget_at = forget_at
        self._live.pop(context.handle, None)
        # It is not spoken any more, and a lexicon may be larger than all of a context's text.
        context.settings = replace(context.settings, voice=replace(context.settings.voice, lexicon=()))
        if context.handle not in self._kept:
            self._kept[context.handle] = context
            self._kept_bytes += context.ledger.text_bytes
        dropped: list[Context] = []
        while len(self._kept) > KEPT_CONTEXTS or (self._kept_bytes > KEPT_TEXT_BYTES and len(self._kept) > 1):
            oldest = next(iter(self._kept.values()))
            self.forget(oldest)
            dropped.append(oldest)
        return dropped

    def due(self, now: float) -> list[Context]:
        """Those whose time of keeping is over."""
        return [
            context
            for context in self._by_handle.values()
            if context.forget_at is not None and context.forget_at <= now
        ]

    def named(self, context_id: str) -> list[Context]:
        """All that bear an id, oldest first."""
        return [context for context in self._by_handle.values() if context.context_id == context_id]

    def forget(self, context: Context) -> None:
        """`context` is known no more."""
        del self._by_handle[context.handle]
        if self._kept.pop(context.handle, None) is not None:
            self._kept_bytes -= context.ledger.text_bytes
        if self._latest.get(context.context_id) is context:
            del self._latest[context.context_id]

    def next_forget(self) -> float | None:
        """When the next one will be dropped."""
        return min((c.forget_at for c in self._by_handle.values() if c.forget_at is not None), default=None)
