"""`bench.qwen3.serving` on a CPU: the server speaks with what it writes, and what stayed empty is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from safetensors import safe_open

from bench.figures import Run
from bench.player import Crowd, Listened
from bench.qwen3 import published, serving
from bench.qwen3.models import HEAD, PUBLISHED, TINY, talker_shapes
from bench.scraped import Scrape
from realtime.engines.qwen3.configuration import read_config
from realtime.engines.qwen3.tensors import Tensors
from realtime.engines.qwen3.tokenizer import Tokenizer


def test_the_server_speaks_and_its_metrics_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = tmp_path / "figures.json"
    asked = (
        "--size tiny --device cpu --batch 2 --frames 6 --words 6 --listeners 2 --ramp 0.1 --warm 0.5"
        f" --seconds 2.5 --barge-every 1 --newcomers 1 --folder {tmp_path} --json {figures}"
    )
    monkeypatch.setattr("sys.argv", ["serving", *asked.split()])
    with pytest.raises(SystemExit) as ended:
        serving.main()
    shown = capsys.readouterr()
    assert ended.value.code == 0, shown.err
    rows: dict[str, dict[str, Any]] = {row["name"]: row for row in json.loads(figures.read_text())}
    assert all(name in shown.out for name in rows)
    assert rows["players: errors"]["value"] == 0, shown.err
    assert rows["players: audio per second"]["value"] > 0
    assert 1 <= rows["tts_batch_size, mean"]["value"] <= 2
    assert rows["tts_frame_seconds, p95"]["value"] > 0
    assert rows["tts_gpu_total_bytes"]["value"] == 0
    assert not list(tmp_path.glob("*/model"))


def test_what_stayed_empty_is_told() -> None:
    silent = Scrape({}, {})
    watched = serving.Watched(each=[silent])
    nobody = Listened(0.0, 1.0, [], {}, {}, {}, [], 0.0, 0.0, [0.0], 0.0)
    run = Run(Crowd(0, 0, ()), nobody, 0.0, 0.0, 0.0, 0.0)
    on_gpu, on_cpu = (serving.missing(run, watched, on_gpu=gpu) for gpu in (True, False))
    gauges = {f"{name} stayed 0" for name in serving.ABOVE_ZERO_ON_GPU}
    assert set(on_gpu) - set(on_cpu) == gauges
    assert "tts_batch_size counted nothing" in on_cpu
    assert not any("cancel" in each for each in on_cpu)


def test_a_checkpoint_is_what_the_loader_reads(tmp_path: Path) -> None:
    written = published.write_published(tmp_path, TINY)
    assert read_config(tmp_path) == TINY
    tokenizer = Tokenizer.read(tmp_path)
    assert len(tokenizer.ids("assistant\n")) == 2
    assert tokenizer.special("<tts_text_eod>") == TINY.tts_eos
    assert max(tokenizer.ids("Anything at all, even 日本語.")) < TINY.talker.text_vocab_size
    with Tensors(tmp_path) as tensors, Tensors(tmp_path / "speech_tokenizer") as codec:
        assert {name: tuple(each.shape) for name, each in tensors.items()} == talker_shapes(TINY)
        assert 2 * (tensors.numbers("") + codec.numbers("")) == written
        assert all(torch.isfinite(each).all() for each in (*tensors.values(), *codec.values()))


def test_the_end_is_never_drawn_in_a_head_of_full_size(tmp_path: Path) -> None:
    talker = PUBLISHED["1.7B"].talker
    shape = talker.vocab_size, talker.hidden_size
    path = tmp_path / "head"
    published.write_weights(path, {HEAD: shape}, published.Numbers(), talker.codec_eos_token_id)
    with safe_open(path, framework="pt") as file:
        rows = file.get_tensor(HEAD).float().abs().sum(1)
    assert rows.argmin() == talker.codec_eos_token_id and rows.min() == 0
    assert (rows > 0).sum() == talker.vocab_size - 1


def test_figures_are_read_as_prometheus_does() -> None:
    registry = CollectorRegistry()
    waits = Histogram("waits_seconds", "", ["kind"], registry=registry, buckets=(1, 2, 4))
    done = Counter("done", "", registry=registry)
    waits.labels("a").observe(3)
    before = Scrape.of(generate_latest(registry).decode())
    for kind, seconds in (("a", 0.5), ("b", 0.5), ("a", 1.5), ("b", 1.5)):
        waits.labels(kind).observe(seconds)
        done.inc()
    added = Scrape.of(generate_latest(registry).decode()).since(before)
    assert added.values["done_total"] == added.count("waits_seconds") == 4
    assert added.mean("waits_seconds") == 1
    assert [added.quantile("waits_seconds", share) for share in (0.25, 0.5, 0.75, 1)] == [0.5, 1, 1.5, 2]
    waits.labels("a").observe(9)
    assert Scrape.of(generate_latest(registry).decode()).since(before).quantile("waits_seconds", 1) == 4
    assert added.mean("others") is None and added.quantile("others", 0.5) is None
