"""Questions, and which of the server's messages answer them.

The protocol has no numbers for questions, but the server answers in order. So a question is followed by a
`ping`: what comes up to its `pong`, and can be an answer at all, answers the oldest question that is open.

After a loss the server may repeat a `context.cancelled` only after the `pong`: a cancel waits for those that
are known to be missing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from realtime.session import messages as wire

Answer = wire.SessionReady | wire.ContextCancelled | wire.Error


@dataclass(slots=True, eq=False)
class Question:
    """`tag` is that of its ping; `over` is set when all answers have come, or at the end of the session."""

    tag: str
    message: wire.ClientMessage | None
    answers: list[wire.ServerMessage] = field(default_factory=list)
    ponged: bool = False
    answered: bool = False
    over: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_cancel(self) -> bool:
        """Whether contexts are cancelled by it."""
        return isinstance(self.message, wire.Cancel)


class Questions:
    """The open questions of one session, oldest first."""

    def __init__(self) -> None:
        self._asked = 0
        self._open: list[Question] = []
        self._missing: set[int] = set()

    def __len__(self) -> int:
        return len(self._open)

    @property
    def has_update(self) -> bool:
        """Whether the settings may be about to change."""
        return any(isinstance(question.message, wire.SessionUpdate) for question in self._open)

    def ask(self, message: wire.ClientMessage | None) -> Question:
        """A new question."""
        self._asked += 1
        question = Question(f"question-{self._asked}", message)
        self._open.append(question)
        return question

    def take(self, answer: Answer) -> None:
        """What may be an answer came."""
        missing = isinstance(answer, wire.ContextCancelled) and answer.handle in self._missing
        if missing and isinstance(answer, wire.ContextCancelled):
            self._missing.discard(answer.handle)
        for question in self._open:
            if not question.ponged or (missing and question.is_cancel):
                question.answers.append(answer)
                break
        self._settle()

    def pong(self, tag: str) -> None:
        """The server has answered everything up to this question's ping."""
        for question in self._open:
            if question.tag == tag:
                question.ponged = True
        self._settle()

    def miss(self, handles: Iterable[int]) -> None:
        """These contexts are cancelled, as the server says; it will repeat how."""
        self._missing.update(handles)

    def end(self) -> None:
        """The session is over: what is open stays without an answer."""
        for question in self._open:
            question.over.set()

    def _settle(self) -> None:
        for question in list(self._open):
            if question.ponged and not (question.is_cancel and self._missing):
                self._open.remove(question)
                question.answered = True
                question.over.set()
