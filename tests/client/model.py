"""A server of realtime.v1 in small: what it does with a session whose connection is lost, and no sound.

It keeps the order of the protocol: contexts one after another, answers before sound. Its frames stand for one
character each. What it has sent it sends again, from the last frame that is known to have come.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from msgspec.structs import replace

from realtime.session import messages as wire
from realtime.session.frames import Frame, FrameKind
from realtime.types import FrameFlags, Packet
from tests.client.scripted import FRAME_SAMPLES, READY

Sent = wire.ServerMessage | Frame
TIMING = wire.ContextTiming(0, 0, 0, 0, 0)


@dataclass
class ModelContext:
    """What the server has of a context."""

    context_id: str
    handle: int
    language: str
    state: str = "open"
    text: str = ""
    flushes: list[int] = field(default_factory=list)
    flush_ids: deque[tuple[int, str | None]] = field(default_factory=deque)
    spoken: int = 0
    sent: int = 0
    paused: bool = False
    played_ms: float = 0.0
    cut: wire.ContextCancelled | None = None

    @property
    def is_live(self) -> bool:
        return self.state in ("open", "ending")

    def report(self) -> wire.ContextReport:
        last = self.sent - 1 if self.sent else None
        return wire.ContextReport(self.context_id, self.handle, self.state, len(self.text), last)  # type: ignore[arg-type]


class ModelServer:
    """One session. `receive` and `speak` return what is sent; `log` keeps all of it."""

    def __init__(self, session_id: str = "s", window_s: float = 30.0) -> None:
        self.window_s = window_s
        self.session_id = session_id
        self.tokens = self.used = 0
        self.language = READY.language
        self.contexts: list[ModelContext] = []
        self.log: list[Sent] = []
        self.updates = 0
        self.closing = False

    @property
    def is_drained(self) -> bool:
        return self.closing and not any(context.is_live for context in self.contexts)

    # -- messages ---------------------------------------------------------------------------------------

    def ready(self, contexts: bool = False) -> wire.SessionReady:
        self.tokens += 1
        fields = {name: getattr(READY, name) for name in READY.__struct_fields__}
        fields |= {
            "session_id": self.session_id,
            "resume_token": f"{self.session_id}-{self.tokens}",
            "language": self.language,
            "features": ["resume"],
            "limits": replace(READY.limits, resume_window_s=self.window_s),
        }
        if contexts:
            fields |= {"resumed": True, "contexts": [context.report() for context in self.contexts]}
        return wire.SessionReady(**fields)

    def knows(self, token: str) -> bool:
        """A token holds until a newer one has been used: the newer one may have been lost."""
        number = int(token.rpartition("-")[2])
        if not self.used <= number <= self.tokens:
            return False
        self.used = number
        return True

    def resume(self, request: wire.ResumeRequest) -> list[Sent]:
        """The answer to a right request, and what is sent again behind it."""
        last = {int(handle): seq for handle, seq in request.last.items()}
        for context in self.contexts:
            assert last.pop(context.handle, -1) < context.sent, "a seq that was never sent"
        assert not last, "a handle that was never told"
        again: list[Sent] = []
        seen = {int(handle): seq for handle, seq in request.last.items()}
        begun = {context.handle for context in self.contexts if context.handle not in seen}
        for item in self.log:
            if isinstance(item, Frame):
                if item.packet.seq == seen.get(item.handle, -1):
                    begun.add(item.handle)
                elif item.handle in begun:
                    again.append(_replayed(item))
            elif not isinstance(item, wire.Pong):
                # Messages of which nobody knows whether they came.
                if getattr(item, "handle", wire.UNSET) in {*begun, wire.UNSET, wire.NO_HANDLE}:
                    again.append(item)
        ready = self.ready(contexts=True)
        return [ready, *(item for item in again if not isinstance(item, wire.SessionReady))]

    def receive(self, message: wire.ClientMessage) -> list[Sent]:
        """What is answered at once."""
        sent = self._receive(message)
        self.log += sent
        return sent

    def _receive(self, message: wire.ClientMessage) -> list[Sent]:
        if isinstance(message, wire.Ping):
            return [wire.Pong(message.t)]
        if isinstance(message, wire.SessionUpdate):
            if message.language == "refused":
                return [wire.Error("unknown_language", "nobody speaks it")]
            self.language = str(message.language)
            self.updates += 1
            return [self.ready()]
        if isinstance(message, wire.Cancel):
            return self._cancel(message)
        if isinstance(message, wire.SessionClose):
            self.closing = True
            for context in self.contexts:
                context.state = "ending" if context.state == "open" else context.state
            return []
        assert not isinstance(message, wire.SessionStart)
        latest = next((c for c in reversed(self.contexts) if c.context_id == message.context_id), None)
        if isinstance(message, wire.ContextOpen):
            if message.voice == "nobody":
                return [wire.Error("unknown_voice", "nobody has this voice", context_id=message.context_id)]
            assert latest is None or latest.state != "open", "it is open already"
            return self._open(message.context_id)
        if isinstance(message, wire.Text) and (latest is None or latest.state in ("ending", "done")):
            return [*self._open(message.context_id), *self.receive(message)]
        if latest is None or (isinstance(message, wire.Text | wire.Flush | wire.End) and not latest.is_live):
            return [wire.Error("context_closed", "it is closed", context_id=message.context_id)]
        if isinstance(message, wire.Text):
            latest.text += message.text
        elif isinstance(message, wire.Flush):
            latest.flushes.append(len(latest.text))
            latest.flush_ids.append((len(latest.text), message.flush_id))
        elif isinstance(message, wire.End):
            latest.state = "ending"
        elif isinstance(message, wire.Playback):
            latest.played_ms = max(latest.played_ms, message.played_ms)
        elif isinstance(message, wire.Pause | wire.Continue):
            for context in self.contexts:
                if context.context_id == message.context_id:
                    context.paused = isinstance(message, wire.Pause)
        return []

    def _open(self, context_id: str) -> list[Sent]:
        context = ModelContext(context_id, len(self.contexts) + 1, self.language)
        self.contexts.append(context)
        return [wire.ContextOpened(context_id, context.handle, "v", self.language)]

    def _cancel(self, message: wire.Cancel) -> list[Sent]:
        everything = message.context_id == wire.ALL_CONTEXTS
        named = [each for each in self.contexts if everything or each.context_id == message.context_id]
        fresh: list[Sent] = []
        for context in named:
            if context.is_live:
                fresh.append(self._cut(context))
        if everything:
            return [*fresh, wire.ContextCancelled("*", wire.NO_HANDLE, "cancelled", 0, "", "", 0, None)]
        if fresh or not named:
            nothing = wire.ContextCancelled(
                message.context_id, wire.NO_HANDLE, "cancelled", 0, "", "", 0, None
            )
            return fresh or [nothing]
        return [named[-1].cut or self._cut(named[-1])]

    def _cut(self, context: ModelContext) -> wire.ContextCancelled:
        context.state = "cancelled"
        spoken, rest = context.text[: context.spoken], context.text[context.spoken :]
        last = context.sent - 1 if context.sent else None
        context.cut = wire.ContextCancelled(
            context.context_id, context.handle, "cancelled", 0, spoken, rest, len(spoken), last
        )
        return context.cut

    # -- sound ------------------------------------------------------------------------------------------

    def speak(self) -> list[Sent]:
        """The next that the head says: a character, or that it is done; nothing while it waits."""
        sent = self._speak()
        self.log += sent
        return sent

    def _speak(self) -> list[Sent]:
        head = next((context for context in self.contexts if context.is_live), None)
        if head is None or head.paused:
            return []
        if head.flush_ids and head.flush_ids[0][0] <= head.spoken:
            return [wire.FlushDone(head.context_id, head.handle, head.flush_ids.popleft()[1])]
        final = len(head.text) if head.state == "ending" else max([0, *head.flushes])
        if head.spoken < final:
            return self._say(head)
        if head.state == "open":
            return []
        head.state = "done"
        last = head.sent - 1 if head.sent else None
        return [wire.ContextDone(head.context_id, head.handle, "completed", head.sent * 20, last, TIMING)]

    def end_head(self) -> None:
        """The head has been silent for too long while others wait."""
        head = next(context for context in self.contexts if context.is_live)
        head.state = "ending"

    def _say(self, head: ModelContext) -> list[Sent]:
        character, at = head.text[head.spoken], head.spoken
        head.spoken += 1
        messages: list[Sent] = []
        if character.isupper():
            index = sum(each.isupper() for each in head.text[:at])
            messages.append(
                wire.Segment(head.context_id, head.handle, index, character, (at, at + 1), at * 20, "en")
            )
        word = wire.Word(character, (at, at + 1), at * 20, at * 20 + 20)
        messages.append(wire.Words(head.context_id, head.handle, 0, False, [word]))
        flags = FrameFlags.FIRST if not head.sent else FrameFlags.NONE
        packet = Packet(character.encode(), head.sent, head.sent * FRAME_SAMPLES, FRAME_SAMPLES, flags)
        head.sent += 1
        return [*messages, Frame(FrameKind.OPUS, head.handle, packet)]


def _replayed(frame: Frame) -> Frame:
    packet = frame.packet
    flags = packet.flags | FrameFlags.REPLAYED
    return Frame(
        frame.kind, frame.handle, Packet(packet.payload, packet.seq, packet.position, packet.duration, flags)
    )
