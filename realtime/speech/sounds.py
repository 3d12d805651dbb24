"""The sound of one context, segment by segment, however its engine is to be asked for it.

Where the sound of a segment depends on that segment alone, each is a synthesis of its own: it may come out of
the cache, or be made together with the same text of another context. An engine that lets all that was said
before colour what it says, or that takes words as they come, has one utterance for the whole context.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Protocol

from realtime.engines.engine import Chunk, Failure
from realtime.speech.cache import sound_key, utterance_key
from realtime.speech.pace import AHEAD_S
from realtime.speech.scheduler import Scheduler, Utterance, UtteranceEvent
from realtime.speech.synthesis import Listening, Syntheses
from realtime.types import AUTO, TextPiece, VoiceSettings

#: A longer text is not kept as one sound, nor shared: a slow listener would keep all of it in memory.
MOST_SHARED_CHARACTERS = 4_096
#: About how long a character of text sounds: to guess whether there is room for the segment after it.
_MS_PER_CHARACTER = 65


class Sounds(Protocol):
    """Where the sound of a context comes from. All methods are called on the event loop."""

    def feed(self, piece: TextPiece) -> None:
        """More text."""
        ...

    def flush(self) -> None:
        """The text so far is spoken to its end, whether more comes or not."""
        ...

    def finish(self) -> None:
        """No more text."""
        ...

    def grant(self, audio_ms: int, deadline: float) -> None:
        """`audio_ms` may be made in all, of which the next is needed at `deadline` (monotonic seconds)."""
        ...

    def take(self, has_room: bool) -> Chunk | Failure | None:
        """The next chunk in the order of the text, or that there will be none; None: nothing is there yet.

        Without room for a chunk only a failure is told.
        """
        ...

    @property
    def cached(self) -> bool:
        """Whether the segment that the last chunk is of was not made for this context."""
        ...

    @property
    def idle_s(self) -> float:
        """Seconds from the end of the synthesis of each segment to the beginning of the next, all together.

        While there was text and room: then the engine waited for whoever should have asked it. 0 where that
        is not known.
        """
        ...

    @property
    def synthesized_ms(self) -> float:
        """Milliseconds that the engine has made for this context, also of what was not taken.

        What was found, or begun for another, does not count.
        """
        ...

    @property
    def asks_cache(self) -> bool:
        """Whether what was made before is looked for."""
        ...

    def voice_of(self, piece: TextPiece) -> tuple[str, str]:
        """Who speaks a piece: the voice, and the language that it speaks."""
        ...

    def close(self) -> None:
        """No more of it is wanted."""
        ...


def open_sounds(
    settings: VoiceSettings,
    scheduler: Scheduler,
    syntheses: Syntheses,
    revision: str,
    on_change: Callable[[], None],
    whole_text: str | None,
) -> Sounds:
    """The sound of a context; `on_change` is called when `Sounds.take` has more.

    `revision`: of the engine and its models. `whole_text`: all that will be said, None when
    that is not known yet.
    """
    capabilities = scheduler.capabilities
    if capabilities.context == "segment" and capabilities.takes == "segment":
        return SegmentSounds(settings, scheduler, syntheses, revision, on_change)
    key = None
    if settings.cache and whole_text is not None and len(whole_text) <= MOST_SHARED_CHARACTERS:
        key = utterance_key(whole_text, settings, revision)
    return UtteranceSounds(settings, scheduler, syntheses, on_change, key)


class UtteranceSounds:
    """One utterance of the engine for the whole context."""

    def __init__(
        self,
        settings: VoiceSettings,
        scheduler: Scheduler,
        syntheses: Syntheses,
        on_change: Callable[[], None],
        key: str | None,
    ) -> None:
        """`key` of the whole utterance, None when it is for this context alone."""

        # An engine that tells the language by itself does so better than the text's first words can: it hears
        # all of them, and may change with them.
        is_told = bool(settings.auto_voices) and scheduler.capabilities.tells_language

        def open_utterance(listener: Callable[[UtteranceEvent], None]) -> Utterance:
            return scheduler.open(
                settings.voice,
                AUTO if is_told else settings.language,
                listener,
                seed=settings.seed,
                auto_voices=settings.auto_voices,
                reference=settings.reference,
                instruct=settings.instruct,
            )

        self._listening = syntheses.listen(key, open_utterance, on_change, is_segment=False)
        self.asks_cache = key is not None and syntheses.cache.enabled
        self._voice = settings.voice, settings.language

    def voice_of(self, piece: TextPiece) -> tuple[str, str]:
        """See `Sounds`."""
        return self._voice

    def feed(self, piece: TextPiece) -> None:
        """More text."""
        self._listening.feed(piece)

    def flush(self) -> None:
        """See `Sounds`."""
        self._listening.flush()

    def finish(self) -> None:
        """No more text."""
        self._listening.finish()

    def grant(self, audio_ms: int, deadline: float) -> None:
        """See `Sounds`."""
        self._listening.grant(audio_ms, deadline)

    def take(self, has_room: bool) -> Chunk | Failure | None:
        """See `Sounds`."""
        return self._listening.take(has_room)

    @property
    def cached(self) -> bool:
        """See `Sounds`."""
        return self._listening.cached

    @property
    def idle_s(self) -> float:
        """An engine that speaks all in one go knows of no segments."""
        return 0.0

    @property
    def synthesized_ms(self) -> float:
        """See `Sounds`."""
        return self._listening.own_ms

    def close(self) -> None:
        """See `Sounds`."""
        self._listening.close()


class SegmentSounds:
    """A synthesis for each segment: of the one that is made, and of the next ahead of its turn."""

    def __init__(
        self,
        settings: VoiceSettings,
        scheduler: Scheduler,
        syntheses: Syntheses,
        revision: str,
        on_change: Callable[[], None],
    ) -> None:
        """See `open_sounds`."""
        self._settings = settings
        self._scheduler = scheduler
        self._syntheses = syntheses
        self._revision = revision
        self._on_change = on_change
        self._voices = dict(settings.auto_voices) | {settings.language: settings.voice}
        self._met = {settings.voice}
        self._pieces: list[TextPiece] = []
        self._listenings: dict[int, Listening] = {}
        self._head = 0  # the segment that is taken
        self._head_ms = 0.0  # taken of it
        self._taken_ms = 0.0  # of those before it
        self._synthesized_ms = 0.0  # for this context alone, of those that were let go
        self._granted = (0, 0.0)
        self._cached = False
        self.asks_cache = settings.cache and syntheses.cache.enabled
        self._idle_s = 0.0
        self._could_begin_at: float | None = None  # when the one before was made, if the head was known then

    def voice_of(self, piece: TextPiece) -> tuple[str, str]:
        """See `Sounds`."""
        language = piece.language if piece.language in self._voices else self._settings.language
        return self._voices[language], language

    def feed(self, piece: TextPiece) -> None:
        """One whole segment."""
        number = len(self._pieces)
        self._pieces.append(piece)
        voice, _ = self.voice_of(piece)
        if voice not in self._met:
            self._met.add(voice)
            self._listen(number).prepare()  # its engine may have to be loaded
        self._pass_grant()

    def flush(self) -> None:
        """Each segment is finished by itself."""

    def finish(self) -> None:
        """Each segment is finished by itself."""

    def grant(self, audio_ms: int, deadline: float) -> None:
        """See `Sounds`."""
        self._granted = max(self._granted[0], audio_ms), deadline
        self._pass_grant()

    def take(self, has_room: bool) -> Chunk | Failure | None:
        """See `Sounds`."""
        if self._head == len(self._pieces):
            return None
        listening = self._listen(self._head)
        event = listening.take(has_room)
        if isinstance(event, Chunk):
            self._cached = listening.cached
            self._head_ms += event.audio.audio_ms
            if self._could_begin_at is not None and listening.begun_at is not None:
                self._idle_s += max(0.0, listening.begun_at - self._could_begin_at)
            self._could_begin_at = None
            if event.audio.last_of_segment:
                self._advance(listening)
        return event

    @property
    def cached(self) -> bool:
        """See `Sounds`."""
        return self._cached

    @property
    def idle_s(self) -> float:
        """See `Sounds`."""
        return self._idle_s

    @property
    def synthesized_ms(self) -> float:
        """See `Sounds`."""
        return self._synthesized_ms + sum(listening.own_ms for listening in self._listenings.values())

    def close(self) -> None:
        """See `Sounds`."""
        for number in tuple(self._listenings):
            self._let_go(number)

    def _advance(self, listening: Listening) -> None:
        self._let_go(self._head)
        self._head += 1
        self._head_ms = 0.0
        # Only where there was room for more than the segment is the next one late for no reason.
        if self._head < len(self._pieces) and self._granted[0] > self._taken_ms + listening.made_ms:
            self._could_begin_at = listening.made_at
        self._taken_ms += listening.made_ms
        ahead = self._listenings.get(self._head)
        if ahead is not None and ahead.failed:  # its engine died before anybody needed it: tried again now
            self._let_go(self._head)
        self._pass_grant()

    def _let_go(self, number: int) -> None:
        listening = self._listenings.pop(number)
        self._synthesized_ms += listening.own_ms
        listening.close()

    def _on_sound(self) -> None:
        # The next segment does not wait until this sound has been encoded.
        self._pass_grant()
        self._on_change()

    def _pass_grant(self) -> None:
        """What was granted is for the first segment that is not complete; what that leaves, for the next."""
        audio_ms, deadline = self._granted
        left_ms, ahead_ms = audio_ms - self._taken_ms, 0.0
        number = self._head
        while left_ms > 0 and number < len(self._pieces):
            listening = self._listen(number)
            if not listening.complete:
                # Rounded up: an engine goes on while less was made, be it by a part of a millisecond.
                needed_at = deadline + self._played_s(ahead_ms + self._untaken_ms(number))
                listening.grant(math.ceil(round(left_ms, 6)), needed_at, urgent=number == self._head)
                self._prepare_next(number, left_ms, deadline)
                return
            left_ms -= listening.made_ms
            ahead_ms += self._untaken_ms(number)
            number += 1

    def _prepare_next(self, number: int, left_ms: float, deadline: float) -> None:
        """Its first part is made while nobody needs the engine, if there will be room for it."""
        expected_ms = max(self._listen(number).made_ms, len(self._pieces[number].text) * _MS_PER_CHARACTER)
        if left_ms > expected_ms and number + 1 < len(self._pieces):
            self._listen(number + 1).grant(1, deadline + AHEAD_S, urgent=False)

    def _untaken_ms(self, number: int) -> float:
        """What was made of a segment and not taken."""
        return self._listen(number).made_ms - (self._head_ms if number == self._head else 0.0)

    def _played_s(self, sound_ms: float) -> float:
        return sound_ms / 1000 / self._settings.speed

    def _listen(self, number: int) -> Listening:
        listening = self._listenings.get(number)
        if listening is None:
            piece = self._pieces[number]
            listening = self._listenings[number] = self._syntheses.listen(
                self._key(piece), partial(self._open, piece), self._on_sound, is_segment=True
            )
            listening.feed(piece)
            listening.finish()
        return listening

    def _open(self, piece: TextPiece, listener: Callable[[UtteranceEvent], None]) -> Utterance:
        settings = self._settings
        return self._scheduler.open(
            *self.voice_of(piece),
            listener,
            seed=settings.seed,
            reference=settings.reference,
            instruct=settings.instruct,
        )

    def _key(self, piece: TextPiece) -> str | None:
        if not self.asks_cache:
            return None
        reference = self._settings.reference
        return sound_key(
            piece,
            *self.voice_of(piece),
            self._settings.seed,
            self._revision,
            f"{reference.key} {reference.text}" if reference else "",
            instruct=self._settings.instruct,
        )
