"""How the generations of an utterance begin: token by token, or in context of a recording."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from realtime.engines.qwen3.codec import Codec
from realtime.engines.qwen3.generation import Beginning, Codes, SpokenToken
from realtime.engines.qwen3.prompt import Opening, PromptBuilder


class LiveScript:
    """As `generation.Script`, of voices that take text as it comes: all but clones in context."""

    is_live = True

    def __init__(self, builder: PromptBuilder, opening: Opening) -> None:
        self._builder = builder
        self._opening = opening

    def begin(self, tokens: Sequence[SpokenToken]) -> Beginning:
        """With the first token; the others follow."""
        start = self._builder.streaming(self._opening, [tokens[0].id])
        return Beginning(start.prompt, 1, start.trailing)

    def go_on(self, spoken: Sequence[SpokenToken], codes: Codes, tokens: Sequence[SpokenToken]) -> Beginning:
        """With what was said last and its frames, over which the text lies that comes next."""
        ahead = max(0, len(codes) + 1 - len(spoken))
        next_ids = [token.id for token in tokens[:ahead]]
        said_ids = [token.id for token in spoken]
        start = self._builder.continuation(self._opening, said_ids, codes, next_ids, complete=False)
        return Beginning(start.prompt, len(next_ids), start.trailing)

    def prepare(self, codec: Codec, row: int) -> None:
        """Its sound begins with silence before it."""
        codec.reset(row)


class InContextScript:
    """As `generation.Script`, of clones that go on as their recording does; all text is in the prompt."""

    is_live = False

    def __init__(
        self, builder: PromptBuilder, opening: Opening, tts_eos: int, prime: Callable[[Codec, int], None]
    ) -> None:
        """`prime` brings the codec's state of a row to the end of the recording."""
        self._builder = builder
        self._opening = opening
        self._tts_eos = tts_eos
        self._prime = prime

    def begin(self, tokens: Sequence[SpokenToken]) -> Beginning:
        """With all of them: what follows is another generation."""
        ids = [token.id for token in tokens]
        start = self._builder.streaming(self._opening, ids, complete=True)
        trailing = (*start.trailing, self._tts_eos) if start.ends else ()
        return Beginning(start.prompt, len(tokens), trailing, ends=True)

    def go_on(self, spoken: Sequence[SpokenToken], codes: Codes, tokens: Sequence[SpokenToken]) -> Beginning:
        """The recording is what it goes on from, always."""
        return self.begin(tokens)

    def prepare(self, codec: Codec, row: int) -> None:
        """Its sound begins where the recording ends."""
        self._prime(codec, row)
