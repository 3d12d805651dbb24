"""What was sent and may not have arrived, to be sent again when a lost session is taken up. No I/O, no clock.

A connection loses nothing in the middle: the server has received all messages up to one, and none behind it.
Which one that is can never be told exactly. The rules:

1. What proves that a message has arrived proves it of all before it. Proofs are the `pong` to a ping behind
   it, and the server's report of its contexts: that one is known, and how much of its text has come.
2. What is proven is forgotten. What is not is sent again, in the old order: a flush comes at the same place
   of the text. Text is cut by what the server has, to the character, and a context is opened only if the
   server does not know it. All other messages may come twice: a second one changes nothing.
3. A message that is still to be answered, though it has arrived, is asked again, if that changes nothing: an
   update together with those behind it; a cancel unless its id has been opened again since. The answer to
   such a cancel is among the messages that the server repeats.
4. Nothing is sent to a context that is over: text for it would open another one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from realtime.session import messages as wire

#: After so many messages, or characters of text, a ping of our own has the server say that it has them.
_MARK_MESSAGES = 64
_MARK_CHARACTERS = 16 * 1024
#: States in which the server takes no more text of a context, although nothing has gone wrong with it.
_ENDED = ("ending", "done")


@dataclass(slots=True, eq=False)
class _Channel:
    """A context, from its opening on."""

    context_id: str
    handle: int | None = None
    characters: int = 0  # of text so far
    over: bool = False  # refused, done or cancelled


@dataclass(slots=True, eq=False)
class _Entry:
    """A message; None in its place when it is not to be sent (again)."""

    number: int
    message: wire.ClientMessage | None
    channel: _Channel | None = None
    start: int = 0  # of a text: where it stands in its context, in characters
    tag: str | None = None  # of the question that it belongs to
    opens: str | None = None  # the id of the context that it opens
    was_sent: bool = False


@dataclass(frozen=True, slots=True)
class Resumption:
    """What the server's report says beyond what is sent again."""

    #: Handles of contexts that the server has ended before all their text came.
    ended_early: frozenset[int]
    #: Handles of contexts that are cancelled.
    cancelled: frozenset[int]


class Outbox:
    """The messages of one session, in the order in which they were put.

    Take the next with `take`, and say `written` when it is; while the connection is lost do neither.
    """

    def __init__(self, keeps: bool) -> None:
        """`keeps`: what was sent is kept until it is proven; else the session cannot be taken up again."""
        self._keeps = keeps
        self._entries: deque[_Entry] = deque()
        self._unsent: deque[_Entry] = deque()
        self._writing: _Entry | None = None
        self._numbers = 0
        self._proven = 0  # all up to this number have arrived
        self._unanswered: set[str] = set()
        self._pings: dict[str, int] = {}
        self._marks = self._unmarked_messages = self._unmarked_characters = 0
        self._latest: dict[str, _Channel] = {}
        self._unopened: dict[str, deque[_Channel]] = {}
        self._by_handle: dict[int, _Channel] = {}
        self._highest = 0  # handles grow: those up to this one have been told

    # -- what is to be sent -----------------------------------------------------------------------------

    def put(self, message: wire.ClientMessage, tag: str | None = None) -> int:
        """One more message; returns its number, for `is_sent`. `tag`: it belongs to this question."""
        entry = _Entry(self._next_number(), message, tag=tag)
        if isinstance(message, wire.ContextOpen):
            entry.opens = message.context_id
            entry.channel = _Channel(message.context_id)
            self._latest[message.context_id] = entry.channel
            self._unopened.setdefault(message.context_id, deque()).append(entry.channel)
        elif isinstance(message, wire.Text | wire.Flush | wire.End | wire.Playback):
            entry.channel = self._latest.get(message.context_id)
        if isinstance(message, wire.Text) and entry.channel is not None:
            entry.start = entry.channel.characters
            entry.channel.characters += len(message.text)
        elif isinstance(message, wire.Playback):
            self._forget_playback(entry.channel)
        self._add(entry)
        return entry.number

    def ask(self, message: wire.ClientMessage | None, tag: str) -> None:
        """A question: a message, and behind it a ping whose `pong` says that all answers have come."""
        self._unanswered.add(tag)
        if message is not None:
            self.put(message, tag)
        self._ping(tag)

    def mark(self) -> None:
        """Have the server say that it has all up to here."""
        self._marks += 1
        self._ping(f"mark-{self._marks}")

    def take(self) -> wire.ClientMessage | None:
        """The next message to write; None when there is none."""
        self._writing = None
        while self._unsent:
            entry = self._unsent.popleft()
            if entry.message is not None:
                entry.was_sent = True
                self._writing = entry
                return entry.message
        return None

    def written(self) -> None:
        """What was taken last has been written."""
        self._writing = None

    def is_sent(self, number: int) -> bool:
        """Whether this message, and so all before it, has been written."""
        next_one = self._writing or (self._unsent[0] if self._unsent else None)
        return next_one is None or next_one.number > number

    @property
    def is_proven(self) -> bool:
        """Whether all that was put has arrived, as far as it is kept."""
        return not self._entries

    # -- what comes in ----------------------------------------------------------------------------------

    def pong(self, tag: str) -> None:
        """The answer to a ping: all before it has arrived."""
        self._unanswered.discard(tag)
        self._prove(self._pings.pop(tag, 0))

    def opened(self, context_id: str, handle: int) -> None:
        """The server has opened a context: the oldest under this id that it had not."""
        self._highest = max(self._highest, handle)
        channel = self._next_unopened(context_id)
        if channel is not None:
            channel.handle = handle
            self._by_handle[handle] = channel

    def refused(self, context_id: str) -> None:
        """The server does not open the oldest under this id that it had not opened."""
        if (channel := self._next_unopened(context_id)) is not None:
            self._end(channel)

    def over(self, handle: int) -> None:
        """A context is done or cancelled."""
        if (channel := self._by_handle.pop(handle, None)) is not None:
            self._end(channel)

    def resumed(self, contexts: Sequence[wire.ContextReport]) -> Resumption:
        """The session goes on, on a new connection: `take` begins with what may be lost.

        `contexts` is what the server says of all that it knows.
        """
        reports = self._matched(contexts)
        for entry in self._entries:
            report = reports.get(entry.channel) if entry.channel is not None else None
            if report is not None and _has_arrived(entry, report):
                self._proven = max(self._proven, entry.number)
        self._trim()
        ended_early: set[int] = set()
        updates_again = False
        for entry in self._entries:
            arrived = entry.number <= self._proven
            if isinstance(entry.message, wire.SessionUpdate):
                updates_again = updates_again or not arrived or entry.tag in self._unanswered
                if not updates_again:
                    entry.message = None
            elif arrived:
                if not self._may_be_asked_again(entry):
                    entry.message = None
            elif entry.channel is not None:
                self._cut(entry, entry.channel, reports.get(entry.channel), ended_early)
        self._unsent, self._writing = deque(self._entries), None
        cancelled = {report.handle for report in contexts if report.state == "cancelled"}
        return Resumption(frozenset(ended_early), frozenset(cancelled))

    # -- within -----------------------------------------------------------------------------------------

    def _next_number(self) -> int:
        self._numbers += 1
        return self._numbers

    def _add(self, entry: _Entry) -> None:
        self._append(entry)
        self._unmarked_messages += 1
        if isinstance(entry.message, wire.Text):
            self._unmarked_characters += len(entry.message.text)
        full = self._unmarked_messages >= _MARK_MESSAGES or self._unmarked_characters >= _MARK_CHARACTERS
        if self._keeps and full and entry.tag is None:  # behind a question comes its ping
            self.mark()

    def _ping(self, tag: str) -> None:
        self._unmarked_messages = self._unmarked_characters = 0
        entry = _Entry(self._next_number(), wire.Ping(tag), tag=tag)
        self._pings[tag] = entry.number
        self._append(entry)

    def _append(self, entry: _Entry) -> None:
        self._unsent.append(entry)
        if self._keeps:
            self._entries.append(entry)

    def _forget_playback(self, channel: _Channel | None) -> None:
        """Only the last report of where the listener is counts."""
        for entry in self._entries:
            if entry.channel is channel and isinstance(entry.message, wire.Playback):
                entry.message = None

    def _next_unopened(self, context_id: str) -> _Channel | None:
        waiting = self._unopened.get(context_id)
        if not waiting:
            return None
        channel = waiting.popleft()
        if not waiting:
            del self._unopened[context_id]
        return channel

    def _end(self, channel: _Channel) -> None:
        """What it was sent is not needed any more; text that still waits tells that it comes too late."""
        channel.over = True
        if self._latest.get(channel.context_id) is channel and channel.handle is None:
            del self._latest[channel.context_id]
        first = next((entry.number for entry in self._unsent), self._numbers + 1)
        for entry in self._entries:
            waits = entry.number >= first and (isinstance(entry.message, wire.Text) or not entry.was_sent)
            if entry.channel is channel and not waits and not isinstance(entry.message, wire.Playback):
                entry.message = None

    def _prove(self, number: int) -> None:
        self._proven = max(self._proven, number)
        self._trim()

    def _trim(self) -> None:
        while self._entries:
            entry = self._entries[0]
            if entry.number > self._proven or entry.tag in self._unanswered:
                return
            self._entries.popleft()
            if isinstance(entry.message, wire.Ping) and entry.tag is not None:
                self._pings.pop(entry.tag, None)

    # -- after a loss -----------------------------------------------------------------------------------

    def _matched(self, contexts: Sequence[wire.ContextReport]) -> dict[_Channel, wire.ContextReport]:
        """Which report is about which context; those that were never told about go by id and order."""
        waiting = {context_id: deque(channels) for context_id, channels in self._unopened.items()}
        reports: dict[_Channel, wire.ContextReport] = {}
        for report in sorted(contexts, key=lambda report: report.handle):
            channel = self._by_handle.get(report.handle)
            if channel is None and report.handle > self._highest and waiting.get(report.context_id):
                channel = waiting[report.context_id].popleft()
            if channel is not None:
                reports[channel] = report
        return reports

    def _may_be_asked_again(self, entry: _Entry) -> bool:
        """Whether a message that has arrived is sent once more, for its answer was lost."""
        if entry.tag not in self._unanswered:
            return False
        if isinstance(entry.message, wire.Cancel):
            named = entry.message.context_id
            return not any(
                later.opens is not None
                and entry.number < later.number <= self._proven
                and named in (later.opens, wire.ALL_CONTEXTS)
                for later in self._entries
            )
        return isinstance(entry.message, wire.Ping)

    def _cut(
        self,
        entry: _Entry,
        channel: _Channel,
        report: wire.ContextReport | None,
        ended_early: set[int],
    ) -> None:
        """Leave of a message what the server does not have, and takes."""
        message = entry.message
        if message is None or isinstance(message, wire.Playback):
            return
        if channel.over:
            entry.message = None
        elif report is None:
            if channel.handle is not None:  # the server has forgotten it
                entry.message = None
        elif report.state != "open":
            if isinstance(message, wire.Text) and report.state in _ENDED:
                ended_early.add(report.handle)
            entry.message = None
        elif isinstance(message, wire.Text):
            missing = message.text[max(0, report.text_received - entry.start) :]
            entry.start += len(message.text) - len(missing)
            entry.message = wire.Text(missing, message.context_id) if missing else None


def _has_arrived(entry: _Entry, report: wire.ContextReport) -> bool:
    """Whether the server's report about a message's context proves that it has the message.

    That a context is not open any more proves nothing about its `end`: the server may have ended it.
    """
    if isinstance(entry.message, wire.ContextOpen):
        return True
    if not isinstance(entry.message, wire.Text) or not entry.message.text:
        return False
    return entry.start + len(entry.message.text) <= report.text_received
