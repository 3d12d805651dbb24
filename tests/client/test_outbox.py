"""What is sent again after a loss: everything that was lost, nothing that was not, at its old place."""

from __future__ import annotations

from collections import deque

from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.client.outbox import Outbox
from realtime.client.received import Received
from realtime.session import messages as wire
from realtime.session.frames import Frame
from tests.client.model import ModelServer, Sent


class Wanted:
    """A context as the client wants it."""

    def __init__(self, context_id: str, language: str) -> None:
        self.context_id = context_id
        self.language = language
        self.text = ""
        self.flushes: list[int] = []
        self.ended = self.cancelled = self.paused = False
        self.played_ms = 0.0


class World:
    """A client, a server, and a network between them that loses what is under way when it is cut."""

    def __init__(self) -> None:
        self.server = ModelServer()
        self.outbox = Outbox(keeps=True)
        self.received = Received()
        self.up: deque[wire.ClientMessage] = deque()
        self.down: deque[Sent] = deque()
        self.taken: list[Sent] = []
        self.wanted: list[Wanted] = []
        self.language = self.server.language
        self.questions: dict[str, wire.ClientMessage | None] = {}
        self.asked = 0

    # -- the client -------------------------------------------------------------------------------------

    def latest(self, context_id: str) -> Wanted | None:
        return next((each for each in reversed(self.wanted) if each.context_id == context_id), None)

    def act(self, name: str, context_id: str, text: str) -> None:
        """What a user might do; what the client would not let him do is left out."""
        latest = self.latest(context_id)
        is_open = latest is not None and not latest.ended and not latest.cancelled
        if name == "open" and not is_open:
            self.wanted.append(Wanted(context_id, self.language))
            self.outbox.put(wire.ContextOpen(context_id))
        elif name == "update":
            if text != "refused":
                self.language = text
            self.ask(wire.SessionUpdate(language=text))
        elif name == "cancel_all":
            for each in self.wanted:
                each.cancelled = True
            self.ask(wire.Cancel(wire.ALL_CONTEXTS))
        elif name == "ping":
            self.ask(None)
        elif latest is None or latest.cancelled:
            return
        elif name == "cancel":
            for each in self.wanted:
                each.cancelled = each.cancelled or each.context_id == context_id
            self.ask(wire.Cancel(context_id))
        elif name in ("pause", "continue"):
            for each in self.wanted:
                each.paused = name == "pause" if each.context_id == context_id else each.paused
            self.ask(wire.Pause(context_id) if name == "pause" else wire.Continue(context_id))
        elif name == "played":
            latest.played_ms += len(text)
            self.outbox.put(wire.Playback(latest.played_ms, context_id))
        elif is_open:
            self._write(name, latest, text)

    def _write(self, name: str, latest: Wanted, text: str) -> None:
        if name == "text":
            latest.text += text
            self.outbox.put(wire.Text(text, latest.context_id))
        elif name == "flush":
            latest.flushes.append(len(latest.text))
            self.outbox.put(wire.Flush(latest.context_id))
        elif name == "end":
            latest.ended = True
            self.outbox.put(wire.End(latest.context_id))

    def ask(self, message: wire.ClientMessage | None) -> None:
        self.asked += 1
        self.questions[f"question-{self.asked}"] = message
        self.outbox.ask(message, f"question-{self.asked}")

    def take(self, item: Sent) -> None:
        if isinstance(item, Frame):
            if self.received.frame(item.handle, item.packet.seq):
                self.taken.append(item)
            return
        message = self.received.message(item)
        if message is None:
            return
        self.taken.append(message)
        if isinstance(message, wire.Pong):
            self.questions.pop(str(message.t), None)
            self.outbox.pong(str(message.t))
        elif isinstance(message, wire.ContextOpened):
            self.outbox.opened(message.context_id, message.handle)
        elif isinstance(message, wire.ContextDone | wire.ContextCancelled):
            self.outbox.over(message.handle)

    # -- the network ------------------------------------------------------------------------------------

    def write(self, count: int) -> None:
        """The client writes so many messages."""
        for _ in range(count):
            if (message := self.outbox.take()) is None:
                return
            self.up.append(message)
            self.outbox.written()

    def arrive(self, count: int) -> None:
        """So many messages reach the server."""
        for _ in range(min(count, len(self.up))):
            self.down += self.server.receive(self.up.popleft())

    def speak(self, count: int) -> None:
        for _ in range(count):
            self.down += self.server.speak()

    def come(self, count: int) -> None:
        """So much reaches the client."""
        for _ in range(min(count, len(self.down))):
            self.take(self.down.popleft())

    def cut(self, answered: bool) -> None:
        """All that is under way is lost; the answer to the resumption may be lost as well."""
        self.up.clear()
        for last_try in (not answered, False):
            self.down.clear()
            request = wire.ResumeRequest("s", f"s-{self.server.tokens}", self.received.last())
            ready, *again = self.server.resume(request)
            if not last_try:
                break
        assert isinstance(ready, wire.SessionReady) and ready.contexts is not wire.UNSET
        self.received.resumed()
        assert not self.outbox.resumed(ready.contexts).ended_early
        self.down += again

    def settle(self) -> None:
        """Everything arrives and is said."""
        self.ask(None)
        while True:
            self.write(1000)
            self.arrive(1000)
            before = len(self.down)
            self.speak(1)
            self.come(1000)
            if before == 0 and not self.up and not self.down and self.outbox.take() is None:
                return


names = st.sampled_from(
    "open open text text text flush end cancel cancel_all update pause continue played ping".split()
)
texts = st.sampled_from(["x", "Ab", "Long \U0001f600 text", "de", "refused"])
actions = st.lists(st.tuples(names, st.sampled_from("ab"), texts), max_size=5)
few = st.integers(0, 4)
many = st.integers(0, 12)
cuts = st.sampled_from([None, None, True, False])
#: What the user does; how much is written, arrives, is spoken and comes back; whether the network is cut.
rounds = st.lists(st.tuples(actions, many, many, few, many, cuts), max_size=12)
Round = tuple[list[tuple[str, str, str]], int, int, int, int, bool | None]


def _collapsed(flushes: list[int]) -> list[int]:
    return sorted(set(flushes))


@settings(max_examples=400)
@given(rounds)
def test_the_server_has_in_the_end_what_the_client_wanted_whatever_was_cut(script: list[Round]) -> None:
    world = World()
    for acts, written, arrived, spoken, came, cut in script:
        for act in acts:
            world.act(*act)
        world.write(written)
        world.arrive(arrived)
        world.speak(spoken)
        world.come(came)
        if cut is not None:
            world.cut(cut)
    world.settle()
    assert world.questions == {} and world.outbox.is_proven
    assert world.server.language == world.language
    assert [(each.context_id, each.language) for each in world.server.contexts] == [
        (each.context_id, each.language) for each in world.wanted
    ]
    for has, wanted in zip(world.server.contexts, world.wanted, strict=True):
        assert has.text == wanted.text
        assert _collapsed(has.flushes) == _collapsed(wanted.flushes)
        assert has.played_ms == wanted.played_ms or wanted.cancelled
        assert (has.state == "open") == (not wanted.ended and not wanted.cancelled)
        # A context that had ended by itself when a cancel of all came was not cancelled.
        assert has.state != "cancelled" or wanted.cancelled
        assert not has.is_live or not wanted.cancelled
        assert not has.is_live or has.paused == wanted.paused
    taken = [item for item in world.taken if isinstance(item, Frame)]
    for has in world.server.contexts:
        mine = [item.packet for item in taken if item.handle == has.handle]
        assert [packet.seq for packet in mine] == list(range(has.sent))
        assert b"".join(packet.payload for packet in mine).decode() == has.text[: has.spoken]
        for kind in (wire.ContextOpened, wire.ContextDone, wire.ContextCancelled):
            said, told = (
                {id(item): item for item in all_of if isinstance(item, kind) and item.handle == has.handle}
                for all_of in (world.server.log, world.taken)
            )
            assert len(told) == min(1, len(said))
        assert (
            "".join(
                word.text
                for item in world.taken
                if isinstance(item, wire.Words) and item.handle == has.handle
                for word in item.words
            )
            == has.text[: has.spoken]
        )
