"""What `/metrics` tells: counts and times of what has happened, in the text formats of Prometheus.

Nothing here is global: each server has its own. What a client can choose never becomes a label of its own, or
anybody could fill the memory of whoever stores these: unknown names are put together under one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics

from realtime.errors import ErrorCode
from realtime.observe.state import ServerState, StateCollector
from realtime.types import Timing

#: Seconds: from what nobody notices to what nobody bears.
LATENCY_S = (
    0.001, 0.0025, 0.005, 0.01, 0.015, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 10,
)  # fmt: skip
#: A request that is heard while it is spoken takes as long as its text.
DURATION_S = (*LATENCY_S, 30, 60, 120, 300)
#: Sound in a listener's hand: none, a packet, a hiccup of a network, as much as is sent ahead.
LEAD_S = (0.0, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60)
BATCH = (1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
CHARACTERS = (10, 25, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000)
AUDIO_S = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1_800)
#: Time of the engine for a second of sound.
REAL_TIME_FACTOR = (0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 5)
#: Most characters of a text, and the label of such texts: what is short has less time for everything.
_LENGTHS = ((50, "1-50"), (200, "51-200"), (1_000, "201-1000"))
_LONGEST = "1001+"
#: What becomes of a text.
OUTCOMES = ("completed", "failed", "cancelled", "disconnected")
_OPENMETRICS, _PLAIN = openmetrics.CONTENT_TYPE_LATEST, CONTENT_TYPE_PLAIN_0_0_4
#: Series of a histogram that a client multiplies by asking for one thing after the other: there are no more
#: than so many by voice, then voices are put together.
MOST_BY_VOICE = 200
#: A voice that is none of the built-in ones.
CLONED, OTHER = "cloned", "other"


class Metrics:
    """All metrics of one server. `update` must be called before `render`, for what is true only now."""

    def __init__(
        self, version: str, engine: str, voices: Collection[str], endpoints: Collection[str] = ()
    ) -> None:
        """`voices` are the ids that become labels; at `endpoints` there are texts to be counted."""
        # The time at which each series began: of no use, and a third of all lines.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._voices = frozenset(voices)
        self._by_voice: set[tuple[str, str, str]] = set()
        registry = self._registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)
        self._state = StateCollector(version, engine)
        registry.register(self._state)

        def histogram(name: str, text: str, labels: Iterable[str], buckets: Iterable[float]) -> Histogram:
            return Histogram(name, text, tuple(labels), registry=registry, buckets=tuple(buckets))

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(name, text, labels, registry=registry)

        self._requests = counter("tts_requests", "HTTP requests and handshakes", "endpoint", "status")
        self._errors = counter("tts_errors", "Errors that clients were told of, by their code", "type")
        for code in ErrorCode:  # a rate knows nothing of what begins with its first error
            self._errors.labels(code.value)
        self._utterances = counter(
            "tts_utterances", "Texts that are over, by what became of them", "endpoint", "outcome"
        )
        for endpoint in endpoints:
            for outcome in OUTCOMES:
                self._utterances.labels(endpoint, outcome)
        self._request_s = histogram(
            "tts_request_duration_seconds",
            "From the first character of a text to the last packet of its sound",
            ("endpoint", "format", "voice"),
            DURATION_S,
        )
        self._first_audio_s = histogram(
            "tts_first_audio_seconds",
            "From text that can be spoken, and its turn, to the first packet of sound",
            ("endpoint",),
            LATENCY_S,
        )
        self._first_text_s = histogram(
            "tts_first_text_seconds",
            "From the first character of a text to a piece of it that can be spoken",
            ("endpoint",),
            LATENCY_S,
        )
        self._synthesis_s = histogram(
            "tts_synthesis_duration_seconds",
            "Time of the engine for a text, of what was not found in a cache",
            ("voice", "language"),
            DURATION_S,
        )
        self._real_time_factor = histogram(
            "tts_real_time_factor",
            "Time of the engine for a second of sound, by the characters of the text",
            ("length",),
            REAL_TIME_FACTOR,
        )
        self._queue_wait_s = histogram(
            "tts_queue_wait_seconds", "How long a text waited for the engine to take it up", (), LATENCY_S
        )
        self._encode_s = histogram(
            "tts_encode_duration_seconds", "Time to encode the sound of a text", ("format",), LATENCY_S
        )
        self._characters = histogram("tts_text_characters", "Characters of a text", ("endpoint",), CHARACTERS)
        self._audio_s = histogram(
            "tts_audio_duration_seconds", "Sound that was made of a text", ("endpoint",), AUDIO_S
        )
        self._silence_s = histogram(
            "tts_cancel_to_silence_seconds",
            "From a cancel that was read to the last byte of its sound that left",
            (),
            LATENCY_S,
        )
        self._freed_s = histogram(
            "tts_engine_freed_seconds", "From a cancel to the engine's word that it is free", (), LATENCY_S
        )
        self._lead_s = histogram(
            "tts_listener_lead_seconds",
            "Sound that listeners have in hand while more is being made, looked at every second",
            (),
            LEAD_S,
        )
        self._underruns = counter(
            "tts_underruns", "How often a listener ran dry although there was text: a gap in the sound"
        )
        self._underrun_s = counter("tts_underrun_seconds", "How long they heard nothing then")
        self._wasted_s = counter("tts_wasted_audio_seconds", "Sound that was synthesized and never heard")
        self._batch = histogram("tts_batch_size", "Utterances that one step of the engine spoke", (), BATCH)
        self._frame_s = histogram(
            "tts_frame_seconds",
            "Time of one step of the engine: a frame of each utterance in it",
            (),
            LATENCY_S,
        )
        self._loop_lag_s = histogram(
            "tts_event_loop_lag_seconds", "How late the event loop comes to a timer", (), LATENCY_S
        )

    # -- what happens -----------------------------------------------------------------------------------

    def request(self, endpoint: str, status: int) -> None:
        """An HTTP request was answered, or a WebSocket has come to its end (status 101)."""
        self._requests.labels(endpoint, str(status)).inc()

    def error(self, code: str) -> None:
        """A client was told of an error."""
        self._errors.labels(code).inc()

    def utterance(
        self,
        endpoint: str,
        audio_format: str,
        voice: str,
        language: str,
        outcome: str,
        characters: int,
        timing: Timing,
        trace_id: str | None = None,
    ) -> None:
        """A text is over. All but `voice` are one of a few words; `trace_id` becomes an exemplar."""
        voice = voice if voice in self._voices or voice == CLONED else OTHER
        exemplar = None if trace_id is None else {"trace_id": trace_id}
        self._utterances.labels(endpoint, outcome).inc()
        self._characters.labels(endpoint).observe(characters)
        self._underruns.inc(timing.underruns)
        self._underrun_s.inc(timing.underrun_s)
        if timing.accepted is not None and timing.first_text is not None:
            self._first_text_s.labels(endpoint).observe(timing.first_text - timing.accepted)
        if (first_audio_s := timing.first_audio_s) is not None:
            self._first_audio_s.labels(endpoint).observe(first_audio_s, exemplar)
        if timing.audio_s:
            self._audio_s.labels(endpoint).observe(timing.audio_s)
        if timing.accepted is not None and timing.done is not None:
            by_voice = self._voice_of_series(endpoint, audio_format, voice)
            duration_s = timing.done - timing.accepted
            self._request_s.labels(endpoint, audio_format, by_voice).observe(duration_s, exemplar)
        if timing.first_pcm is None:
            return
        self._encode_s.labels(audio_format).observe(timing.encode_s)
        if timing.cache_use == "hit":
            return
        self._queue_wait_s.observe(timing.queue_s)
        self._synthesis_s.labels(voice, language).observe(timing.infer_s)
        if timing.audio_s and not timing.cached_segments:
            self._real_time_factor.labels(_length(characters)).observe(timing.infer_s / timing.audio_s)

    def _voice_of_series(self, endpoint: str, audio_format: str, voice: str) -> str:
        series = (endpoint, audio_format, voice)
        if series not in self._by_voice:
            if len(self._by_voice) >= MOST_BY_VOICE:
                return OTHER
            self._by_voice.add(series)
        return voice

    def silent(self, seconds: float) -> None:
        """So long after a cancel the last of its sound had left."""
        self._silence_s.observe(seconds)

    def engine_freed(self, seconds: float) -> None:
        """So long after a cancel the engine had let go."""
        self._freed_s.observe(seconds)

    def wasted(self, seconds: float) -> None:
        """So much sound was made for nobody."""
        self._wasted_s.inc(seconds)

    def lead(self, seconds: float) -> None:
        """A listener has so much sound in hand."""
        self._lead_s.observe(seconds)

    def step(self, utterances: int, seconds: float) -> None:
        """The engine has made a step."""
        self._batch.observe(utterances)
        self._frame_s.observe(seconds)

    def loop_lag(self, seconds: float) -> None:
        """The event loop came so late."""
        self._loop_lag_s.observe(seconds)

    # -- what is told -----------------------------------------------------------------------------------

    def update(self, state: ServerState) -> None:
        """How the server is now."""
        self._state.state = state

    def render(self, accept: str) -> tuple[bytes, str]:
        """All of it, and its content type, in the format that `accept` asks for; from any thread."""
        content_type = content_type_for(accept)
        encode = openmetrics.generate_latest if content_type == _OPENMETRICS else generate_latest
        return encode(self._registry), content_type


def content_type_for(accept: str) -> str:
    """The format for a header `Accept`: OpenMetrics, with exemplars, for who knows it, else the older text.

    The library's own choice fails on versions that are no numbers, and repeats what a client says of them.
    """
    known = {part.partition(";")[0].strip().lower() for part in accept.split(",")}
    return _OPENMETRICS if "application/openmetrics-text" in known else _PLAIN


def _length(characters: int) -> str:
    return next((label for most, label in _LENGTHS if characters <= most), _LONGEST)
