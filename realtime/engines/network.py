"""A voice's network on onnxruntime, with the outputs that we need of it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from realtime.engines.synthesizer import Cancellation

_FATAL = 4  # in onnxruntime's count of what is worth a line on stderr


def silence_telemetry() -> None:
    """To be called before anything imports onnxruntime.

    Its builds report to their maker, and leave files in the home folder, unless told not to.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


def with_output(model: Any, name: str) -> Any:
    """An `onnx.ModelProto` whose inner value of this name is its last output."""
    import onnx

    model.graph.output.append(onnx.ValueInfoProto(name=name))
    return model


def reduced_to(model: Any, outputs: Sequence[str]) -> Any:
    """Of an `onnx.ModelProto` the part that these of its outputs need, which has them in this order."""
    from onnx.utils import Extractor

    return Extractor(model).extract_model([each.name for each in model.graph.input], list(outputs))


def open_network(model: Any) -> Any:
    """An `onnxruntime.InferenceSession` on one thread; `model` is an `onnx.ModelProto`.

    Call `silence_telemetry` first.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def run_network(session: Any, feed: dict[str, Any], cancellation: Cancellation) -> list[Any] | None:
    """All outputs of a network; None when it was cancelled, which ends it after the node under way."""
    import onnxruntime

    options = onnxruntime.RunOptions()
    options.log_severity_level = _FATAL  # that it was told to end is no error

    def end() -> None:
        options.terminate = True

    try:
        with cancellation.on_cancel(end):
            outputs: list[Any] = session.run(None, feed, options)
    except Exception:  # onnxruntime raises its own kind of failure when it is told to end
        if cancellation.cancelled:
            return None
        raise
    return None if cancellation.cancelled else outputs
