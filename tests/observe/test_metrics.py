"""Metrics: what each call counts, and that nothing a client makes up becomes a label."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics

from realtime.errors import ErrorCode
from realtime.observe.metrics import CLONED, MOST_BY_VOICE, Metrics
from realtime.observe.processes import ChildProcesses
from realtime.observe.state import ENGINE_STATES, CacheState, ServerState
from realtime.types import Timing

WS = "/v1/audio/speech/ws"
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def timing(**marks: float | None) -> Timing:
    """Accepted at 1, its turn at 3, text at 2, the first packet at 3.25, done at 6."""
    usual = {
        "accepted": 1.0,
        "turn": 3.0,
        "first_text": 2.0,
        "first_pcm": 3.2,
        "first_packet": 3.25,
        "done": 6.0,
    }
    sound = {"queue_s": 0.02, "infer_s": 0.5, "encode_s": 0.04, "audio_s": 2.5, "segments": 1}
    return Timing(**(usual | sound | marks))  # type: ignore[arg-type]


class Told:
    """What metrics tell, by the parser of Prometheus' own library."""

    def __init__(self, metrics: Metrics) -> None:
        body, self.content_type = metrics.render("")
        self.samples = {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in parser.text_string_to_metric_families(body.decode())
            for sample in family.samples
        }

    def __getitem__(self, name: str) -> float:
        return self.of(name)

    def of(self, name: str, **labels: str) -> float:
        return self.samples[name, tuple(sorted(labels.items()))]

    def labels(self, name: str) -> list[dict[str, str]]:
        return [dict(labels) for each, labels in self.samples if each == name]


@pytest.fixture
def metrics() -> Metrics:
    return Metrics("1.2.3", "tone", ["heart", "nova"])


def speak(metrics: Metrics, voice: str = "heart", characters: int = 30, **marks: float | None) -> None:
    metrics.utterance(WS, "opus", voice, "en", "completed", characters, timing(**marks))


class TestUtterances:
    def test_every_stage_is_told(self, metrics: Metrics) -> None:
        speak(metrics)
        told = Told(metrics)
        by_endpoint = {"endpoint": WS}
        assert told.of("tts_utterances_total", **by_endpoint, outcome="completed") == 1
        labels = {**by_endpoint, "format": "opus", "voice": "heart"}
        assert told.of("tts_request_duration_seconds_sum", **labels) == 5
        assert told.of("tts_first_audio_seconds_sum", **by_endpoint) == 0.25
        assert told.of("tts_first_text_seconds_sum", **by_endpoint) == 1
        assert told.of("tts_synthesis_duration_seconds_sum", voice="heart", language="en") == 0.5
        assert told.of("tts_real_time_factor_sum", length="1-50") == 0.2
        assert told["tts_queue_wait_seconds_sum"] == 0.02
        assert told.of("tts_encode_duration_seconds_sum", format="opus") == 0.04
        assert told.of("tts_text_characters_sum", **by_endpoint) == 30
        assert told.of("tts_audio_duration_seconds_sum", **by_endpoint) == 2.5
        assert told["tts_underruns_total"] == 0

    def test_the_first_sound_is_late_by_the_servers_fault_alone(self, metrics: Metrics) -> None:
        """Text that comes slowly is the caller's, and who waits for a turn hears those before it."""
        speak(metrics, turn=1.0, first_text=3.2)
        speak(metrics, turn=9.0)  # it was ready before its turn
        assert Told(metrics).of("tts_first_audio_seconds_sum", endpoint=WS) == pytest.approx(0.05)

    def test_what_was_found_was_not_synthesized(self, metrics: Metrics) -> None:
        speak(metrics, cache=True, cached_segments=1, infer_s=0.0)
        told = Told(metrics)
        assert told.labels("tts_synthesis_duration_seconds_count") == []
        assert told["tts_queue_wait_seconds_count"] == 0
        assert told.of("tts_audio_duration_seconds_count", endpoint=WS) == 1

    def test_what_was_cut_short_has_no_duration(self, metrics: Metrics) -> None:
        nothing = timing(done=None, first_pcm=None, first_packet=None, audio_s=0.0, segments=0)
        metrics.utterance(WS, "opus", "heart", "en", "cancelled", 3, nothing)
        told = Told(metrics)
        assert told.of("tts_utterances_total", endpoint=WS, outcome="cancelled") == 1
        for name in (
            "tts_request_duration_seconds",
            "tts_first_audio_seconds",
            "tts_encode_duration_seconds",
        ):
            assert told.labels(f"{name}_count") == []

    @pytest.mark.parametrize(
        ("characters", "length"),
        [(1, "1-50"), (50, "1-50"), (51, "51-200"), (200, "51-200"), (201, "201-1000"), (1001, "1001+")],
    )
    def test_lengths(self, metrics: Metrics, characters: int, length: str) -> None:
        speak(metrics, characters=characters)
        assert Told(metrics).of("tts_real_time_factor_count", length=length) == 1

    def test_underruns_are_counted_with_what_was_not_heard(self, metrics: Metrics) -> None:
        speak(metrics, underruns=2, underrun_s=0.3)
        told = Told(metrics)
        assert (told["tts_underruns_total"], told["tts_underrun_seconds_total"]) == (2, 0.3)

    def test_voices_that_nobody_built_in_are_one(self, metrics: Metrics) -> None:
        for number in range(100):
            speak(metrics, voice=f"made-up-{number}")
        speak(metrics, voice=CLONED)
        told = Told(metrics)
        assert {each["voice"] for each in told.labels("tts_synthesis_duration_seconds_count")} == {
            "other",
            "cloned",
        }
        assert told.of("tts_synthesis_duration_seconds_count", voice="other", language="en") == 100

    def test_series_by_voice_have_an_end(self) -> None:
        """A client may ask for each voice in each format, and all of that is stored for ever."""
        metrics = Metrics("1", "tone", [f"voice {number}" for number in range(MOST_BY_VOICE + 50)])
        for number in range(MOST_BY_VOICE + 50):
            speak(metrics, f"voice {number}")
        speak(metrics, "voice 1")
        told, name = Told(metrics), "tts_request_duration_seconds_count"
        assert len(told.labels(name)) == MOST_BY_VOICE + 1
        by = {"endpoint": WS, "format": "opus"}
        assert told.of(name, **by, voice="other") == 50 and told.of(name, **by, voice="voice 1") == 2

    def test_a_trace_is_an_exemplar(self, metrics: Metrics) -> None:
        trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
        metrics.utterance(WS, "opus", "heart", "en", "completed", 30, timing(), trace_id)
        body, _ = metrics.render(OPENMETRICS)
        exemplars = {
            sample.exemplar.labels["trace_id"]
            for family in openmetrics.text_string_to_metric_families(body.decode())
            for sample in family.samples
            if sample.exemplar is not None
        }
        assert exemplars == {trace_id}


class TestTheRest:
    def test_what_happens(self, metrics: Metrics) -> None:
        metrics.request(WS, 101)
        metrics.error("queue_full")
        metrics.silent(0.005)
        metrics.engine_freed(0.01)
        metrics.wasted(1.5)
        metrics.lead(0.4)
        metrics.step(7, 0.002)
        metrics.loop_lag(0.001)
        told = Told(metrics)
        assert told.of("tts_requests_total", endpoint=WS, status="101") == 1
        assert told.of("tts_errors_total", type="queue_full") == 1
        assert told["tts_cancel_to_silence_seconds_sum"] == 0.005
        assert told["tts_engine_freed_seconds_sum"] == 0.01
        assert told["tts_wasted_audio_seconds_total"] == 1.5
        assert told["tts_listener_lead_seconds_sum"] == 0.4
        assert (told["tts_batch_size_sum"], told["tts_frame_seconds_sum"]) == (7, 0.002)
        assert told["tts_event_loop_lag_seconds_sum"] == 0.001

    def test_errors_that_did_not_happen_are_there(self, metrics: Metrics) -> None:
        """Or the first of each would be no increase for who counts them."""
        types = {each["type"] for each in Told(metrics).labels("tts_errors_total")}
        assert types == {code.value for code in ErrorCode}

    def test_the_state_is_that_of_the_last_update(self, metrics: Metrics) -> None:
        metrics.update(ServerState(sessions=9))
        metrics.update(
            ServerState(
                sessions=2,
                queue_depth=3,
                model_loaded=True,
                engine_state="ready",
                engine_restarts=4,
                gpu_reserved_bytes=5,
                caches={"audio": CacheState(6, 7, 8, 9), "shared": CacheState(1, 2, up=False)},
            )
        )
        told = Told(metrics)
        assert (told["tts_sessions"], told["tts_queue_depth"], told["tts_model_loaded"]) == (2, 3, 1)
        assert (told["tts_engine_restarts_total"], told["tts_gpu_reserved_bytes"]) == (4, 5)
        assert told.of("tts_cache_hits_total", cache="audio") == 6
        assert told.of("tts_cache_bytes", cache="audio") == 9
        assert told.of("tts_cache_up", cache="shared") == 0
        assert [each["cache"] for each in told.labels("tts_cache_bytes")] == ["audio"]
        assert [told.of("tts_engine_state", state=each) for each in ENGINE_STATES] == [0, 1, 0, 0]
        assert told.labels("tts_build_info") == [{"version": "1.2.3", "engine": "tone"}]

    def test_figures_of_the_process(self, metrics: Metrics) -> None:
        told = Told(metrics)
        assert told["process_resident_memory_bytes"] > 1e6 and told["process_open_fds"] > 0

    def test_two_servers_in_one_process_do_not_mix(self, metrics: Metrics) -> None:
        other = Metrics("1", "tone", [])
        other.wasted(1)
        assert Told(metrics)["tts_wasted_audio_seconds_total"] == 0

    def test_both_formats_hold_the_same(self, metrics: Metrics) -> None:
        speak(metrics)
        plain, kind = metrics.render("text/plain")
        assert kind.startswith("text/plain") and b"# EOF" not in plain
        modern, kind = metrics.render(OPENMETRICS)
        assert kind.startswith("application/openmetrics-text") and modern.endswith(b"# EOF\n")
        names = [
            {sample.name for family in families for sample in family.samples}
            for families in (
                parser.text_string_to_metric_families(plain.decode()),
                openmetrics.text_string_to_metric_families(modern.decode()),
            )
        ]
        assert names[0] == names[1] and "tts_first_audio_seconds_bucket" in names[0]


class TestProcesses:
    def test_children_are_counted_and_their_time_goes_on_when_they_end(self) -> None:
        children = ChildProcesses()
        before = children.look()
        program = "print('busy'); sum(range(10**7)); input()"
        with subprocess.Popen(
            [sys.executable, "-uc", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as child:
            assert child.stdout is not None and child.stdin is not None
            assert child.stdout.readline() == "busy\n"
            during = children.look()
            assert during.count == before.count + 1
            assert during.resident_bytes > before.resident_bytes + 1e6
            child.stdin.write("\n")
            child.stdin.flush()
            while os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
                last = children.look()
            assert last.cpu_s >= during.cpu_s
        after = children.look()
        assert after.count == before.count and after.cpu_s >= last.cpu_s > before.cpu_s

    def test_a_system_that_tells_nothing(self, tmp_path: Path) -> None:
        assert ChildProcesses(tmp_path).look().count == 0
