"""What one client of a soak has seen of its session, and whether the server may do what it does.

The rules that are checked, of realtime.v1:
1. The frames of a context are contiguous in seq and position, the replayed ones included, and those that were
   received before are the same in every byte but the replay flag. Contexts sound in the order opened.
2. A context ends once. After `context.cancelled` nothing of its sound comes, and none while it is paused.
3. What was spoken and what remains is the text. `words`, `segment` and the length of the sound agree with it.
4. No error comes that was not provoked.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

import msgspec

from realtime.session.frames import decode_frame
from realtime.types import TIMELINE_PER_MS, FrameFlags

#: So many of the last things that happened are told with a violation.
TRACE = 40
#: A replayed frame is compared without its flags, which are these bytes of its header.
_FLAGS = slice(2, 4)
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class ViolationError(Exception):
    """The server did what the contract does not allow."""


def check(holds: bool, what: str) -> None:
    """Raises `ViolationError` unless `holds`."""
    if not holds:
        raise ViolationError(what)


@dataclass(slots=True)
class Told:
    """One context, as its client knows it. `sure`: the server has all of `text`.

    `whole`: its text and its end came at once, so that its sound is always the same; `shape` is what that
    depends on besides the text. `silenced`: a cancel or a preempt of it was sent. `quiet`: it is paused, and
    the server has said so by a `pong`.
    """

    context_id: str
    opened_at: float
    text: str = ""
    sure: bool = True
    whole: bool = False
    ended: bool = False
    silenced: bool = False
    paused: bool = False
    quiet: bool = False
    shape: tuple[object, ...] = ()
    may_fail: bool = False
    handle: int = 0
    refused: bool = False
    done: dict[str, Any] | None = None
    cut: dict[str, Any] | None = None
    next_seq: int = 0
    position: int = 0
    last_seen: bool = False
    reported_ms: float = 0.0
    flushes: list[str] = field(default_factory=list)
    opening: dict[str, Any] | None = None  # the fields of its `context.open`, if it had one
    missing: str = ""  # what a resume showed not to have arrived: text, and its end
    missing_end: bool = False
    frames: list[tuple[int, int]] = field(default_factory=list)  # checksum, and position of the end
    sound: int = 0

    @property
    def over(self) -> bool:
        """Whether the server has nothing more to say of it."""
        return self.refused or self.done is not None or self.cut is not None

    @property
    def takes_text(self) -> bool:
        """Whether its client may send more text."""
        return not (self.ended or self.silenced or self.over or self.may_fail)


class Witness:
    """Hears everything that a session's sockets bring, in order; raises `ViolationError`."""

    def __init__(self) -> None:
        self.contexts: dict[str, Told] = {}
        self.by_handle: dict[int, Told] = {}
        self.ready: dict[str, Any] = {}
        self.readies = 0
        self.pongs: set[str] = set()
        self.cancelled_all = 0
        self.nothing_cancelled = 0
        self.errors: Counter[str] = Counter()
        #: Codes of errors that the client has provoked.
        self.provoked: set[str] = set()
        self.frames = 0
        self.replayed = 0
        self.trace: deque[str] = deque(maxlen=TRACE)
        self._head = 0
        self._replaying = False
        self.resumes = 0

    def note(self, what: str) -> None:
        """Something that may help to understand a violation."""
        self.trace.append(what if len(what) < 200 else what[:200] + "…")

    def live(self) -> list[Told]:
        """Contexts that are not over, in the order opened."""
        return [told for told in self.contexts.values() if not told.over]

    # -- a new socket -----------------------------------------------------------------------------------

    def last(self, rewind: dict[int, int]) -> dict[str, int]:
        """What to say in `resume` was received; `rewind`: less than that, by handle."""
        received = {handle: told.next_seq - 1 for handle, told in self.by_handle.items() if told.next_seq}
        return {str(handle): seq for handle, seq in (received | rewind).items() if seq >= 0}

    def lost(self) -> None:
        """The socket is gone: what was sent last may not have arrived."""
        self.note("-- lost --")
        for told in self.live():
            told.sure = False

    def resumed(self, claimed: dict[str, int]) -> None:
        """Expect what follows on `claimed`, as `last` gave it."""
        self.resumes += 1
        self._replaying = True
        self._head = 0
        for handle, told in self.by_handle.items():
            told.quiet = False
            seq = claimed.get(str(handle), -1)
            told.next_seq = seq + 1
            told.position = told.frames[seq][1] if seq >= 0 else 0
            told.last_seen = told.last_seen and told.next_seq == len(told.frames)

    def _reconcile(self) -> None:
        """Take from `session.ready` what the server knows of each context."""
        known = {each["context_id"]: each for each in self.ready["contexts"]}
        for told in self.contexts.values():
            entry = known.get(told.context_id)
            if entry is None:
                check(told.over or not told.handle, f"a resume has forgotten {told.context_id}")
                told.missing, told.text, told.missing_end = told.text, "", told.ended
                continue
            if not told.handle:
                self._open(told, entry["handle"])
            check(entry["handle"] == told.handle, f"another handle after a resume: {entry}")
            received = entry["text_received"]
            check(received <= len(told.text), f"{received} characters received of {len(told.text)}: {entry}")
            if told.over:
                continue
            last_seq = -1 if entry["last_seq"] is None else entry["last_seq"]
            check(last_seq >= len(told.frames) - 1, f"less was sent than was received: {entry}")
            takes_text = entry["state"] == "open"
            # Text whose end comes much later may be cut elsewhere: it was waited for.
            told.whole = told.whole and received == len(told.text) and not takes_text
            told.missing = told.text[received:] if takes_text else ""
            told.missing_end = told.ended and takes_text
            told.text, told.sure = told.text[:received], True

    # -- what comes -------------------------------------------------------------------------------------

    def receive(self, data: str | bytes) -> None:
        """A message or a frame."""
        if isinstance(data, bytes):
            self._frame(data)
            return
        self.note(f"<- {data}")
        message = _decode(data)
        kind = message["type"]
        told = self._subject(message)
        if kind == "session.ready":
            self.ready = message
            self.readies += 1
            if message.get("resumed"):
                self._reconcile()
        elif kind == "pong":
            self.pongs.add(str(message["t"]))
        elif kind == "error":
            self._error(message, told)
        elif kind == "context.opened":
            self._opened(message)
        elif kind == "context.cancelled" and told is None:
            self._nothing_cancelled(message)
        elif told is None:
            check(kind == "session.closing", f"a message that fits nowhere: {message}")
        elif kind == "context.cancelled":
            self._cancelled(told, message)
        elif kind == "context.done":
            self._done(told, message)
        elif kind == "segment":
            self._audible(told, kind)
            start, end = message["source"]
            check(
                0 <= start <= end <= len(told.text) or not told.sure, f"a source beyond the text: {message}"
            )
        elif kind == "words":
            self._words(told, message)
        elif kind == "flush.done":
            self._flushed(told, message)
        else:
            check(kind == "flow", f"a message of an unknown type: {message}")

    def _subject(self, message: dict[str, Any]) -> Told | None:
        handle = message.get("handle", 0)
        if not handle or message["type"] == "context.opened":
            return None
        told = self.by_handle.get(handle)
        check(told is not None, f"a message of a context that was not opened: {message}")
        assert told is not None
        check(told.context_id == message["context_id"], f"the handle of another context: {message}")
        return told

    def _opened(self, message: dict[str, Any]) -> None:
        told = self.contexts.get(message["context_id"])
        check(told is not None, f"a context that nobody asked for: {message}")
        assert told is not None
        if self.resumes and told.handle == message["handle"]:
            return
        check(not told.handle, f"opened twice: {message}, before it with handle {told.handle}")
        check(message["handle"] > max(self.by_handle, default=0), f"a handle that is not new: {message}")
        self._open(told, message["handle"])

    def _open(self, told: Told, handle: int) -> None:
        told.handle = handle
        self.by_handle[handle] = told

    def _error(self, message: dict[str, Any], told: Told | None) -> None:
        code = message["code"]
        self.errors[code] += 1
        fails = told is not None and told.may_fail and code == "text_too_long"
        check(fails or code in self.provoked, f"an error that was not provoked: {message}")
        if told is None and code in ("queue_full", "too_many_contexts"):
            named = self.contexts.get(message.get("context_id", ""))
            if named is not None and not named.handle:
                named.refused = True

    def _nothing_cancelled(self, message: dict[str, Any]) -> None:
        empty = message["text_spoken"] == message["text_remaining"] == "" and message["last_seq"] is None
        check(empty, f"an answer about nothing that tells something: {message}")
        if message["context_id"] == "*":
            self.cancelled_all += 1
        else:
            self.nothing_cancelled += 1

    def _cancelled(self, told: Told, message: dict[str, Any]) -> None:
        check(told.silenced, f"nobody cancelled it: {message}")
        if told.cut is not None:
            check(told.cut == message, f"another answer to the same cancel: {message}, before it {told.cut}")
            return
        spoken, remaining = message["text_spoken"], message["text_remaining"]
        whole = spoken + remaining
        right = whole == told.text if told.sure else told.text.startswith(whole)
        check(right, f"spoken and remaining are not the text, which was {told.text!r}: {message}")
        check(message["source_offset"] == len(spoken), f"source_offset is not the length: {message}")
        check(message["played_ms"] >= 0, f"a position before the begin: {message}")
        last_seq = -1 if message["last_seq"] is None else message["last_seq"]
        if not self.resumes:
            check(last_seq == told.next_seq - 1, f"{told.next_seq} frames came, and not: {message}")
            check(
                message["played_ms"] <= told.position / TIMELINE_PER_MS + 0.01, f"beyond the end: {message}"
            )
        check(last_seq >= told.next_seq - 1, f"{told.next_seq} frames came, more than were sent: {message}")
        told.cut = message

    def _done(self, told: Told, message: dict[str, Any]) -> None:
        if self.resumes and told.done is not None:
            check(told.done == message, f"another end after a resume: {message}, before it {told.done}")
            return
        check(not told.over, f"it was over already: {message}")
        check(not told.quiet, f"the end of what is paused: {message}")
        expected = ("completed", "failed") if told.may_fail else ("completed",)
        check(message["reason"] in expected, f"it has failed: {message}")
        last_seq = -1 if message["last_seq"] is None else message["last_seq"]
        check(last_seq == told.next_seq - 1, f"{told.next_seq} frames came, and not: {message}")
        length_ms = told.position / TIMELINE_PER_MS
        check(abs(message["audio_ms"] - length_ms) < 0.01, f"{length_ms} ms came, and not: {message}")
        if message["reason"] == "completed":
            check(told.last_seen or not told.next_seq, f"no frame was the last: {message}")
            check(not told.sure or not told.flushes, f"flushes {told.flushes} were not answered: {message}")
        told.done = message

    def _flushed(self, told: Told, message: dict[str, Any]) -> None:
        self._audible(told, "flush.done")
        flush_id = message.get("flush_id")
        if flush_id in told.flushes:
            check(self.resumes > 0 or told.flushes[0] == flush_id, f"not in order: {message}")
            told.flushes.remove(flush_id)
        else:
            check(self.resumes > 0, f"nobody flushed: {message}")

    def _words(self, told: Told, message: dict[str, Any]) -> None:
        self._audible(told, "words")
        for word in message["words"]:
            start, end = word["source"]
            same = told.text[start:end] == word["text"] or not told.sure
            check(same, f"a word that is not in the text {told.text!r}: {word}")
            check(word["start_ms"] <= word["end_ms"], f"a word that ends before it begins: {word}")

    def _audible(self, told: Told, what: str) -> None:
        """Raises `ViolationError` when nothing of a context may come that keeps its order with its sound."""
        check(told.cut is None, f"{what} of {told.context_id} after it was cancelled")
        check(not told.quiet, f"{what} of {told.context_id} while it is paused")
        check(told.done is None or self._replaying, f"{what} of {told.context_id} after its end")

    def _frame(self, data: bytes) -> None:
        self.frames += 1
        frame = decode_frame(data)
        packet = frame.packet
        told = self.by_handle.get(frame.handle)
        shown = f"frame {packet.seq} of handle {frame.handle}, flags {packet.flags}, at {packet.position}"
        check(told is not None, f"{shown}: it was not opened")
        assert told is not None
        replayed = bool(packet.flags & FrameFlags.REPLAYED)
        check(not replayed or self._replaying, f"{shown}: replayed where nothing was lost, or amid new sound")
        self._replaying = replayed
        self.replayed += replayed
        self._audible(told, shown)
        check(packet.seq == told.next_seq, f"{shown}: expected seq {told.next_seq}")
        check(packet.position == told.position, f"{shown}: expected position {told.position}")
        check(bool(packet.flags & FrameFlags.FIRST) == (packet.seq == 0), f"{shown}: the first, and only it")
        check(not told.last_seen, f"{shown}: after the last one")
        check(frame.handle >= self._head, f"{shown}: amid the sound of {self._head}")
        checksum = crc32(data[_FLAGS.stop :], crc32(data[: _FLAGS.start]))
        if packet.seq < len(told.frames):
            check(replayed, f"{shown}: sent again without the flag")
            check(told.frames[packet.seq][0] == checksum, f"{shown}: not the same as at first")
        else:
            told.frames.append((checksum, packet.position + packet.duration))
            told.sound = crc32(packet.payload, told.sound)
        self._head = frame.handle
        told.next_seq = packet.seq + 1
        told.position = packet.position + packet.duration
        told.last_seen = bool(packet.flags & FrameFlags.LAST)
