"""Checks of GPUs and the model, as driver and torch would tell of them; `test_survey` asks the real torch."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec.structs import replace as changed

from realtime.doctor import gpu
from realtime.doctor.finding import Finding, Situation
from realtime.doctor.machine import Ended, Machine
from realtime.doctor.settings import read_settings
from realtime.engines.qwen3.survey import Card, Survey
from tests.doctor.looking import look, machine, only, states

GB = 1_000_000_000
GOOD = Survey(
    torch="2.11.0+cu128",
    cuda="12.8",
    no_cuda="",
    cards=(Card("NVIDIA H200", "9.0", 140 * GB, 150 * GB, True),),
    device="NVIDIA H200",
    dtype="bfloat16",
    attention="triton",
    why="no flash-attn: No module named 'flash_attn'",
    near_cores=16,
    folder="/models/custom",
    need=16 * GB,
    counted=True,
    free=140 * GB,
)


def told(survey: Survey, **settings: str) -> list[Finding]:
    environment = {"ENGINE": "qwen3", **settings}
    config, wrong = read_settings(environment)
    return gpu.in_words(Situation(config, environment, wrong), survey)


@pytest.fixture
def smi(tmp_path: Path) -> Machine:
    """A machine whose nvidia-smi is a recording: first in PATH, and really run."""
    program = tmp_path / "bin" / "nvidia-smi"
    program.parent.mkdir()
    program.write_text(
        "#!/bin/sh\n"
        'case "$1" in --query-gpu=name,driver_version,memory.total,*) ;; *) exit 2;; esac\n'
        '[ "$2" = --format=csv,noheader,nounits ] || exit 2\n'
        'echo "NVIDIA H200, 570.86.15, 143771, 143152, Enabled, 345, 1980, Default"\n'
        'echo "NVIDIA H200, 570.86.15, 143771, 12, Disabled, 345, 1980, Prohibited"\n'
    )
    program.chmod(0o755)
    return replace(machine(tmp_path), run=Machine().run)


def test_what_the_driver_tells(smi: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    found = look(gpu.cards, smi, ENGINE="qwen3")
    assert states(found) == [("GPU 0", "ok"), ("GPU 1", "ok"), ("GPU 1", "warn"), ("GPU 1", "fail")]
    assert found[0].found == "NVIDIA H200, driver 570.86.15, 150.1 GB of 150.8 GB free, at 345 of 1980 MHz"
    assert found[2].remedy.startswith("nvidia-smi -i 1 -pm 1")
    assert "Prohibited" in found[3].found
    # Others need no GPU.
    assert look(gpu.cards, smi) == look(gpu.cards, smi, ENGINE="qwen3", MODEL_DEVICE="cpu") == []


@pytest.mark.parametrize(
    ("ended", "state", "what"),
    [
        (Ended(127), "warn", "there is no nvidia-smi"),
        (Ended(124), "fail", "does not answer"),
        (
            Ended(9, "NVIDIA-SMI has failed because it couldn't communicate\nmore\n"),
            "fail",
            "has failed because",
        ),
        (Ended(0, ""), "fail", "knows of no GPU"),
        (Ended(0, "NVIDIA H200, 570\n"), "warn", "tells 2 of 8 figures"),
    ],
)
def test_a_driver_that_does_not_answer(ended: Ended, state: str, what: str, tmp_path: Path) -> None:
    (found,) = look(gpu.cards, machine(tmp_path, run=lambda *_: ended), ENGINE="qwen3")
    assert found.state == state and what in found.found and "\n" not in found.found


def test_a_good_gpu() -> None:
    found = told(GOOD)
    assert {each.state for each in found} == {"ok", "info"}
    assert only(found, "cuda:0").found.startswith("NVIDIA H200, compute capability 9.0, bfloat16, 140.0 GB")
    assert "by the headers of its files" in only(found, "model's memory").found
    assert only(found, "near the GPU").found.startswith("16 cores")


def test_no_cuda() -> None:
    survey = changed(GOOD, cards=(), no_cuda="The NVIDIA driver on your system is too old", device="CPU")
    assert only(told(survey), "CUDA").state == "warn"
    assert only(told(survey), "where it runs").state == "warn"
    error = "MODEL_DEVICE is cuda, but there is no CUDA"
    found = told(changed(survey, device="", place_error=error, need=0), MODEL_DEVICE="cuda")
    assert only(found, "CUDA").state == only(found, "where it runs").state == "fail"
    assert not [each for each in told(survey, MODEL_DEVICE="cpu") if each.name == "CUDA"]


def test_an_old_card() -> None:
    card = Card("Tesla T4", "7.5", 15 * GB, 16 * GB, False)
    found = told(changed(GOOD, cards=(card,), free=15 * GB))
    assert only(found, "cuda:0").state == "warn" and "no bfloat16" in only(found, "cuda:0").found
    assert only(found, "model's memory").state == "fail"
    assert "32 utterances at once need 16.0 GB" in only(found, "model's memory").found


def test_no_compiler_for_kernels() -> None:
    found = only(told(changed(GOOD, no_triton="Failed to find C compiler", attention="sdpa")), "triton")
    assert found.state == "warn" and "gcc" in found.remedy


def test_a_model_that_is_not_here() -> None:
    survey = changed(
        GOOD, folder="", files_error="the model 'Qwen/x' is not wholly on this machine", counted=False
    )
    assert only(told(survey), "model").state == "warn"
    assert "roughly" in only(told(survey), "model's memory").found
    assert only(told(survey, HF_HUB_OFFLINE="1"), "model").state == "fail"
    damaged = changed(GOOD, files_error="weight x is missing", need=0)
    assert only(told(damaged), "model").state == "fail"


@pytest.mark.parametrize(
    ("ended", "what"),
    [
        (
            Ended(1, "", "Traceback\nModuleNotFoundError: No module named 'torch'\n"),
            "No module named 'torch' (code 1)",
        ),
        (Ended(-11), "it wrote nothing (code -11)"),
        (Ended(124), "no answer within 180 s"),
    ],
)
def test_a_torch_that_breaks(ended: Ended, what: str, tmp_path: Path) -> None:
    (found,) = look(gpu.model, machine(tmp_path, run=lambda *_: ended), ENGINE="qwen3")
    assert found.state == "fail" and found.found.endswith(what)
