"""An utterance without a model: what each frame is given, when it is held, how it ends and goes on."""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future

import numpy as np
import pytest

from realtime.engines.qwen3.budget import REPEATED_FRAMES
from realtime.engines.qwen3.generation import (
    Beginning,
    Codes,
    Consumed,
    GenerationEnded,
    Launched,
    Note,
    ReadyChunk,
    SpokenToken,
    TextAdded,
)
from realtime.engines.qwen3.prompt import Prompt
from realtime.engines.qwen3.speech import CHUNK_FRAMES, CLOSING_S, STALLED_S, Speech
from realtime.errors import EngineError
from realtime.types import AudioChunk, Pcm, TextPiece

EOS, PAD, PROMPT = 1001, 1002, 9
FRAME_MS = 80.0


def prompt_of(text_id: int, positions: int = PROMPT) -> Prompt:
    text_ids = np.zeros(positions, np.int64)
    text_ids[-1] = text_id
    return Prompt(text_ids, np.full((positions, 2), -1), None, -1, 0, "")


class LiveScript:
    """Begins with the first token; one that goes on tells what it was given."""

    is_live = True

    def __init__(self) -> None:
        self.carried: list[tuple[list[int], Codes]] = []

    def begin(self, tokens: Sequence[SpokenToken]) -> Beginning:
        return Beginning(prompt_of(tokens[0].id), 1)

    def go_on(self, spoken: Sequence[SpokenToken], codes: Codes, tokens: Sequence[SpokenToken]) -> Beginning:
        self.carried.append(([token.id for token in spoken], codes))
        ahead = len(codes) - len(spoken) + 1
        return Beginning(prompt_of(99, PROMPT + len(codes)), ahead)

    def prepare(self, codec: object, row: int) -> None:
        pass


class WholeScript(LiveScript):
    """As of a clone that hears its recording: the text's first half is in the prompt, the rest follows."""

    is_live = False

    def begin(self, tokens: Sequence[SpokenToken]) -> Beginning:
        half = len(tokens) // 2
        trailing = (*(token.id for token in tokens[half:]), EOS)
        return Beginning(prompt_of(PAD), len(tokens), trailing, ends=True)


class Words:
    """A token for each word: its id is the word, a number."""

    def feed(self, piece: TextPiece) -> list[SpokenToken]:
        words = piece.text.split()
        if words == ["bad"]:
            raise EngineError("cannot be read")
        return [
            SpokenToken(int(word), piece.segment, 0, 1, 1.0, piece.last_of_segment and at == len(words) - 1)
            for at, word in enumerate(words)
        ]


class Tokens:
    """Frames by seconds; each token takes one."""

    def __init__(self, for_each: int = 10, most: int | None = None) -> None:
        self.for_each = for_each
        self.most = most

    def frames(self, seconds: float) -> int:
        return self.most or self.spoken_frames(seconds)

    def spoken_frames(self, seconds: float) -> int:
        return self.for_each * round(seconds)


class NoSound:
    def write(self, pcm: Pcm, notes: Sequence[Note], over: bool) -> Sequence[AudioChunk]:
        return ()


class Play:
    """A speech and the model's part of it: a frame's codes are its number."""

    def __init__(self, script: LiveScript | None = None, budget: int = 10, room: int = 1000) -> None:
        self.script = script or LiveScript()
        future: Future[LiveScript] = Future()
        future.set_result(self.script)
        self.rows = True
        self.closed: list[Speech] = []
        self.speech = Speech(
            future,
            Words(),
            Tokens(budget),
            NoSound(),
            tts_eos=EOS,
            tts_pad=PAD,
            frame_ms=FRAME_MS,
            seed=7,
            has_row=lambda speech: self.rows,
            on_close=self.closed.append,
        )
        self.room = room
        self.seeds: list[int] = []
        self.ids: list[int] = []
        self.chunks: list[ReadyChunk] = []
        self._frame = 0

    def say(self, text: str, segment: int = 0, last: bool = True) -> None:
        self.speech.feed([TextPiece(segment, text, (0, len(text)), (), "en", last_of_segment=last)])

    def launch(self, lead_s: float = 0.0, step_s: float = 0.01) -> Launched:
        beginning = self.speech.begin(lambda prompt: self.room - len(prompt.text_ids))
        if beginning is not None:
            self.seeds.append(beginning[1])
        text_id, launched = self.speech.launch(lead_s, step_s)
        self.ids.append(text_id)
        return launched

    def collect(self, launched: Launched, ended: bool = False) -> None:
        chunk = self.speech.collect(launched, np.array([self._frame, 0]), ended)
        self._frame += not ended
        if chunk is not None:
            self.chunks.append(chunk)

    def frame(self, lead_s: float = 0.0, *, ended: bool = False) -> None:
        assert self.speech.next_step_at(0.0) == -math.inf
        self.collect(self.launch(lead_s), ended)

    @property
    def lengths(self) -> list[int]:
        return [len(chunk.codes) for chunk in self.chunks]

    def notes(self, kind: type) -> list[Note]:
        return [note for chunk in self.chunks for note in chunk.notes if isinstance(note, kind)]


def test_each_frame_is_given_a_token_then_the_end_then_padding() -> None:
    p = Play()
    p.say("1 2 3")
    p.speech.finish()
    for _ in range(6):
        p.frame()
    assert p.ids == [1, 2, 3, EOS, PAD, PAD] and not p.speech.is_over
    p.frame(ended=True)
    assert p.speech.is_over
    consumed = [(note.token.id, note.frame) for note in p.notes(Consumed)]
    assert consumed == [(1, 0), (2, 1), (3, 2)]
    assert p.notes(GenerationEnded) == [GenerationEnded(6)]
    assert np.concatenate([c.codes for c in p.chunks if len(c.codes)])[:, 0].tolist() == list(range(6))


def test_text_that_runs_dry_in_the_middle_of_a_segment_holds_it_and_cuts_the_chunk() -> None:
    p = Play()
    p.say("1 2 3", last=False)
    for _ in range(3):
        p.frame(lead_s=9.0)
    assert p.lengths == [1, 2], "no frame waits for text that is not there"
    assert p.speech.next_step_at(5.0) == math.inf
    assert p.speech.made_ms == 3 * FRAME_MS
    p.say("4", last=False)
    p.frame(lead_s=9.0)
    assert p.ids == [1, 2, 3, 4] and p.lengths == [1, 2, 1]


def test_text_that_ends_a_segment_is_spoken_to_its_end_when_the_listener_needs_it() -> None:
    p = Play()
    p.say("1 2")
    p.frame()
    p.frame()
    assert p.speech.next_step_at(1e12) == 1e12 - CLOSING_S
    assert p.speech.next_step_at(0.0) == p.speech._fed_at + STALLED_S, "what comes at once belongs together"
    p.collect(p.launch())
    assert p.ids == [1, 2, EOS]
    p.frame()
    p.frame(ended=True)
    assert not p.speech.is_over and p.speech.next_step_at(5.0) == math.inf
    p.say("3 4", segment=1)
    p.speech.finish()
    p.frame()
    assert not p.script.carried, "where there was a pause there is no bridge"
    p.frame()
    p.frame(ended=True)
    assert p.ids == [1, 2, EOS, PAD, PAD, 3, 4, EOS] and p.speech.is_over
    assert len(set(p.seeds)) == 2


@pytest.mark.parametrize("given", [0, 1, 2])
def test_a_flush_ends_a_generation_where_it_came(given: int) -> None:
    """Whatever of the text before it the model had been given by then."""
    p = Play()
    p.say("1 2")
    for _ in range(given):
        p.frame()
    p.speech.flush()
    p.say("3", segment=1)
    while len(p.ids) < 4:
        p.frame()
    assert p.ids == [1, 2, EOS, PAD]
    p.frame(ended=True)
    p.frame()
    assert p.ids[-1] == 3 and not p.script.carried
    assert p.speech.next_step_at(1e12) == 1e12 - CLOSING_S
    p.speech.flush()
    p.frame()
    assert p.ids[-1] == EOS


def test_a_flush_of_nothing_is_nothing() -> None:
    p = Play()
    p.speech.flush()
    assert p.speech.next_step_at(0.0) == math.inf
    p.say("1 2")
    p.frame()
    assert p.ids == [1]


def test_the_end_of_the_text_needs_no_deadline() -> None:
    p = Play()
    p.say("1", last=False)
    p.frame()
    assert p.speech.next_step_at(0.0) == math.inf
    p.speech.finish()
    p.frame()
    assert p.ids == [1, EOS]


def test_one_without_text_is_over_with_its_end() -> None:
    p = Play()
    assert p.speech.next_step_at(0.0) == math.inf
    p.say("", segment=0)
    p.speech.finish()
    assert p.speech.is_over and p.speech.next_step_at(0.0) == -math.inf
    assert p.speech.rest().notes == (TextAdded(0, "", True),)


def test_what_a_generation_that_ends_early_was_given_too_late_is_said_by_the_next() -> None:
    p = Play()
    p.say("1 2 3 4 5")
    p.speech.finish()
    p.frame()
    second, third = p.launch(), p.launch()
    p.collect(second, ended=True)
    assert not p.speech.is_over and p.speech.next_step_at(0.0) == math.inf, "a frame is still under way"
    p.collect(third)
    p.frame()
    assert p.ids == [1, 2, 3, 2]
    while not p.speech.is_over:
        p.frame(ended=p.ids[-1] == EOS)
    assert p.ids == [1, 2, 3, 2, 3, 4, 5, EOS, PAD]
    assert not p.script.carried
    assert [note.token.id for note in p.notes(Consumed)] == [1, 2, 3, 4, 5]


def test_a_frame_under_way_beyond_the_end_is_dropped() -> None:
    p = Play()
    p.say("1")
    p.speech.finish()
    p.frame()
    second, third = p.launch(), p.launch()
    p.collect(second, ended=True)
    assert p.speech.is_over, "which is known with the last sound"
    p.collect(third)
    assert p.speech.is_over and sum(p.lengths) == 1


def test_chunks_grow_with_the_sound_that_the_listener_has_in_hand() -> None:
    p = Play(budget=1000)
    p.say("1")
    p.speech.finish()
    for _ in range(sum(CHUNK_FRAMES) + 12):
        p.frame(lead_s=9.0)
    assert p.lengths == [*CHUNK_FRAMES, 12]
    for _ in range(3):
        p.frame(lead_s=0.0)
    p.frame(lead_s=0.05)
    p.frame(lead_s=0.05)
    assert p.lengths[6:] == [1, 1, 1, 2], "who is about to run dry gets a frame at a time"
    p.frame(ended=True)
    assert p.lengths[-1] == 0 and p.speech.made_ms == sum(p.lengths) * FRAME_MS


def test_what_is_made_is_told_in_whole_chunks() -> None:
    p = Play(budget=1000)
    p.say("1")
    p.speech.finish()
    told = []
    for _ in range(7):
        p.frame(lead_s=9.0)
        told.append(p.speech.made_ms / FRAME_MS)
    assert told == [1, 1, 3, 3, 3, 3, 7]


def test_a_generation_that_does_not_end_is_ended_by_its_budget() -> None:
    p = Play(budget=3)
    p.say("1 2")
    p.speech.finish()
    frames = 0
    while not p.speech.is_over:
        p.frame()
        frames += 1
    assert frames == 6 and p.notes(GenerationEnded) == [GenerationEnded(6)]


def test_a_generation_that_repeats_itself_is_ended() -> None:
    p = Play(budget=100)
    p.say("1 2")
    p.speech.finish()
    while not p.speech.is_over:
        p._frame = len(p.ids) % 2 if len(p.ids) > 7 else p._frame
        p.frame()
    assert 7 + REPEATED_FRAMES <= sum(p.lengths) <= 9 + REPEATED_FRAMES


@pytest.mark.parametrize(("ends_segment", "expected"), [(True, 5), (False, 10)])
def test_a_generation_ends_before_its_text_would_overfill_its_kv(ends_segment: bool, expected: int) -> None:
    """At the end of a segment when half of it is used, else when all of it is."""
    p = Play(budget=10, room=100 + PROMPT)
    for number in range(1, 31):
        p.say(str(number), segment=number, last=ends_segment)
    p.speech.finish()
    while p.ids[-1:] != [EOS]:
        p.frame()
    assert p.ids == [*range(1, expected + 1), EOS]
    for _ in range(30):
        p.frame()
    p.frame(ended=True)
    made = sum(p.lengths)
    p.frame()
    ((said, codes),) = p.script.carried
    assert p.ids[-1] == 99 and said[-1] == expected
    frames_per_token = made / expected
    assert len(codes) == round(frames_per_token * len(said)) <= 30 - expected + len(said)
    assert codes[-1, 0] == made - 1
    while p.ids[-1] != EOS:
        p.frame()
    given = [note.token.id for note in p.notes(Consumed)]
    assert given == [*range(1, len(given) + 1)], "every token once, in the prompt or after it"


def test_a_whole_text_is_in_the_prompt_and_what_follows_it() -> None:
    p = Play(WholeScript())
    p.say("1 2 3", last=False)
    assert p.speech.next_step_at(0.0) == math.inf, "it cannot begin with a part of a segment"
    p.say("4", last=True)
    for _ in range(5):
        p.frame()
    p.say("5 6", segment=1)
    p.say("7", segment=2)
    assert p.ids == [PAD, 3, 4, EOS, PAD]
    p.frame(ended=True)
    assert not p.script.carried
    p.speech.finish()
    for _ in range(3):
        p.frame()
    assert p.ids[6:] == [PAD, 6, EOS] and not p.script.carried, "one segment is one generation"


def test_it_is_held_while_there_is_no_row_or_no_voice() -> None:
    p = Play()
    p.say("1")
    p.rows = False
    assert p.speech.next_step_at(0.0) == math.inf
    p.rows = True
    assert p.speech.next_step_at(0.0) == -math.inf
    waiting: Future[LiveScript] = Future()
    p.speech._script = waiting
    assert p.speech.next_step_at(0.0) == math.inf
    waiting.set_exception(EngineError("no such voice"))
    assert p.speech.next_step_at(0.0) == -math.inf
    with pytest.raises(EngineError, match="no such voice"):
        p.speech.begin(lambda prompt: 1)


def test_text_that_cannot_be_read_is_refused() -> None:
    p = Play()
    with pytest.raises(EngineError, match="cannot be read"):
        p.say("bad")


def test_a_close_is_told() -> None:
    p = Play()
    p.speech.close()
    assert p.closed == [p.speech] and p.speech.closed


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_flush_is_of_text_that_comes_back_as_well(when: str) -> None:
    """The generation ends before it is given the last token, which is under way when the flush comes."""
    p = Play()
    p.say("1 2")
    first, second = p.launch(), p.launch()
    if when == "before":
        p.speech.flush()
    p.collect(first, ended=True)
    if when == "after":
        p.speech.flush()
    p.collect(second)
    p.say("3", segment=1)
    while len(p.ids) < 4:
        p.frame()
    assert p.ids == [1, 2, 2, EOS]


def test_that_many_frames_are_allowed_does_not_fill_the_kv() -> None:
    p = Play()
    p.speech._budget = Tokens(most=5000)
    p.say(" ".join(str(number) for number in range(1, 21)))
    p.speech.finish()
    for _ in range(21):
        p.frame()
    assert p.ids == [*range(1, 21), EOS]


def test_a_recording_that_nobody_has_begun_to_listen_to_is_not_listened_to_for_one_that_left() -> None:
    p = Play()
    waiting: Future[LiveScript] = Future()
    p.speech._script = waiting
    p.speech.close()
    assert waiting.cancelled()


@pytest.mark.parametrize("script", [LiveScript, WholeScript])
@pytest.mark.parametrize("seed", range(40))
def test_every_token_is_said_once_and_every_frame_is_heard_once(seed: int, script: type[LiveScript]) -> None:
    """Whenever text, flushes and ends come, early ends too, with frames under way or not."""
    chance = random.Random(seed)
    p = Play(script(), budget=chance.choice([1, 2, 10]), room=chance.choice([60, 200, 1000]) + PROMPT)
    p.speech._budget = Tokens(10, most=chance.choice([None, 1, 5, 5000]))
    under_way, most_under_way = deque[Launched](), chance.choice([0, 1, 2])
    words = [str(number) for number in range(1, chance.randrange(2, 50))]
    given, flushes, ends_early = 0, set[int](), chance.choice([0.0, 0.1, 0.3])
    for _ in range(4000):
        if p.speech.is_over:
            break
        if given < len(words) and chance.random() < 0.3:
            count = chance.randrange(1, 4)
            p.say(" ".join(words[given : given + count]), segment=given, last=True)
            given = min(len(words), given + count)
            if chance.random() < 0.2:
                p.speech.flush()
                flushes.add(given)
        elif given == len(words) and chance.random() < 0.2:
            p.speech.finish()
        may_step = p.speech.next_step_at(0.0) == -math.inf and not p.speech.is_over
        if may_step:
            under_way.append(p.launch(chance.choice([0.0, 9.0])))
            said = {token.id for token in under_way[-1].generation.said}
            assert not any({last, last + 1} <= said for last in flushes)
        while len(under_way) > (most_under_way if may_step else 0):
            launched = under_way.popleft()
            at_end = launched.generation.has_end and chance.random() < 0.5
            p.collect(launched, ended=at_end or chance.random() < ends_early)
    assert p.speech.is_over, "it does not come to an end"
    p.chunks.append(p.speech.rest())
    assert [note.token.id for note in p.notes(Consumed)] == [int(word) for word in words]
    heard = [int(code) for chunk in p.chunks if len(chunk.codes) for code in chunk.codes[:, 0]]
    assert heard == sorted(set(heard)) and p.speech.made_ms == len(heard) * FRAME_MS
