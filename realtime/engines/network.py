"""A voice's network on onnxruntime, with the durations of its phonemes beside its sound."""

from __future__ import annotations

import os
from typing import Any

from realtime.engines.engine import Cancellation

_FATAL = 4  # in onnxruntime's count of what is worth a line on stderr


def silence_telemetry() -> None:
    """To be called before anything imports onnxruntime.

    Its builds report to their maker, and leave files in the home folder, unless told not to.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


def open_network(model: Any, durations: str) -> Any:
    """An `onnxruntime.InferenceSession` on one thread; `model` is an `onnx.ModelProto`.

    The inner value named `durations` becomes its last output. Call `silence_telemetry` first.
    """
    import onnx
    import onnxruntime

    model.graph.output.append(onnx.ValueInfoProto(name=durations))
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
