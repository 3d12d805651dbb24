"""A session on virtual time for tests: a client, speakers that say what they are made to say, and a clock."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, TypeVar, cast

from realtime.errors import ErrorCode
from realtime.session import messages as wire
from realtime.session.actions import Action, Close, OpenSpeaker, Send
from realtime.session.frames import FrameKind
from realtime.session.offer import Format, Limits, Offer
from realtime.session.session import Session
from realtime.types import (
    AudioSettings,
    Finished,
    FrameFlags,
    Packet,
    SourceWord,
    SpeechEvent,
    Timing,
    Voice,
    VoiceReference,
    VoiceSettings,
    WordsTimed,
)

ANNA = Voice("anna", ("en", "de"), "tone", aliases=("default",))
BRUNO = Voice("bruno", ("de",), "tone")


def anna(**changes: Any) -> VoiceSettings:
    """What a context gets that asks for nothing: the default voice, in the language of each segment."""
    return VoiceSettings("anna", "en", auto_voices=(("en", "anna"), ("de", "anna")), **changes)


OFFER = Offer(
    engine="tone",
    voices={"anna": ANNA, "default": ANNA, "bruno": BRUNO},
    default_voice="anna",
    formats={
        "opus": Format(FrameKind.OPUS, (48_000,), 312),
        "pcm_s16le": Format(FrameKind.PCM_S16LE, (24_000, 8_000, 16_000, 48_000)),
        "mulaw": Format(FrameKind.MULAW, (8_000,)),
    },
    features=("contexts", "cancel"),
    limits=Limits(),
    bitrate=32_000,
)
#: A voice that was cloned, where there is no other.
DORA = Voice("clone-1", ("fr", "en"), "qwen3", reference=VoiceReference("ab", "/ab.flac"))
CLONED_ONLY = replace(
    OFFER,
    voices={},
    default_voice=None,
    any_voice=frozenset({"alloy", "default"}),
    cloned_voice=lambda name: DORA if name == "clone-1" else None,
    model="Q/Base",
)
HOW = "the model Q/Base speaks with cloned voices only: make one with POST /v1/voices, and name it"
OPUS = AudioSettings("opus", 48_000, 20, 32_000)
#: Samples of the timeline in a millisecond, and in a frame.
MS = 48
FRAME = 20 * MS

M = TypeVar("M")


class Talk:
    """A session, the present, and speakers that say what a test makes them say."""

    def __init__(self, offer: Offer = OFFER) -> None:
        self.now = 1000.0
        numbers = itertools.count(1)
        self.session = Session("sid", lambda: f"secret-{next(numbers)}", offer, self.now)
        self._sent: dict[int, tuple[int, int]] = {}  # handle -> next seq, next position

    def send(self, kind: str, **fields: Any) -> list[Action]:
        return self.session.receive(json.dumps({"type": kind, **fields}), self.now)

    def event(self, handle: int, event: SpeechEvent) -> list[Action]:
        return self.session.on_event(handle, event, self.now)

    def frame(self, handle: int, ms: float = 20, payload: bytes = b"sound") -> list[Action]:
        seq, position = self._sent.get(handle, (0, 0))
        flags = FrameFlags.NONE if seq else FrameFlags.FIRST
        packet = Packet(payload, seq, position, round(ms * MS), flags)
        self._sent[handle] = (seq + 1, position + packet.duration)
        return self.event(handle, packet)

    def words(self, handle: int, *words: tuple[int, int, float]) -> list[Action]:
        """(source_start, source_end, end_ms) of each word."""
        timed = tuple(SourceWord(start, end, 0, round(end_ms * MS)) for start, end, end_ms in words)
        return self.event(handle, WordsTimed(0, timed, False))

    def finish(self, handle: int, timing: Timing | None = None) -> list[Action]:
        return self.event(handle, Finished(self._sent.get(handle, (0, 0))[1], timing or Timing()))

    def open(self, context_id: str, text: str = "x") -> int:
        """A context that was opened by its first text; its handle."""
        return only(self.send("text", context_id=context_id, text=text), OpenSpeaker).handle

    def spoken(self, context_id: str, text: str, ms: float) -> int:
        """A context that was opened, ended and wholly sent; its handle."""
        handle = self.open(context_id, text)
        self.send("end", context_id=context_id)
        self.frame(handle, ms)
        self.finish(handle)
        return handle

    def pause(self, context_id: str) -> None:
        """It has no answer."""
        assert self.send("pause", context_id=context_id) == []

    def go_on(self, context_id: str) -> None:
        """It has no answer, unless something failed meanwhile."""
        assert self.send("continue", context_id=context_id) == []

    def cut(self, context_id: str, **fields: Any) -> list[wire.ContextCancelled]:
        """All answers to a cancel."""
        return every(self.send("cancel", context_id=context_id, **fields), wire.ContextCancelled)

    def played_ms(self, context_id: str) -> float:
        """Where a cancel finds the listener of an id that has one context."""
        return only(self.send("cancel", context_id=context_id), wire.ContextCancelled).played_ms

    def wait(self, seconds: float) -> list[Action]:
        """Let time pass, calling `on_deadline` whenever the session wants it."""
        end = self.now + seconds
        actions: list[Action] = []
        for _ in range(1000):
            deadline = self.session.next_deadline()
            if deadline > end or any(isinstance(a, Close) for a in actions):
                self.now = end
                return actions
            self.now = max(self.now, deadline)
            actions += self.session.on_deadline(self.now)
        raise AssertionError("the session asks for deadlines without end")


def messages(actions: Iterable[Action]) -> list[wire.ServerMessage]:
    return [cast(wire.ServerMessage, action.message) for action in actions if isinstance(action, Send)]


def every(actions: Iterable[Action], kind: type[M]) -> list[M]:
    """Actions of a kind, or messages of one."""
    found: list[Any] = [a.message if isinstance(a, Send) else a for a in actions]
    return [each for each in found if isinstance(each, kind)]


def only(actions: Iterable[Action], kind: type[M]) -> M:
    found = every(actions, kind)
    assert len(found) == 1, (kind, actions)
    return found[0]


def error_of(actions: list[Action]) -> wire.Error:
    """The error that is the one and only answer."""
    assert len(actions) == 1, actions
    return only(actions, wire.Error)


def refused(actions: list[Action], code: ErrorCode) -> str:
    """What the one and only answer, an error of this code that ends nothing, says."""
    error = error_of(actions)
    assert (error.code, error.fatal) == (code, False)
    return error.message


def cancelled(
    context_id: str, handle: int, played_ms: float, spoken: str, remaining: str, last_seq: int | None
) -> wire.ContextCancelled:
    return wire.ContextCancelled(
        context_id, handle, "cancelled", played_ms, spoken, remaining, len(spoken), last_seq
    )


def nothing_cancelled(context_id: str) -> wire.ContextCancelled:
    """The answer about what never was, and the last one about all."""
    return wire.ContextCancelled(context_id, wire.NO_HANDLE, "cancelled", 0, "", "", 0, None)
