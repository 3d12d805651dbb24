"""Builds the Triton kernels for a GPU that need not be there: `python -m .. 90`, its compute capability.

With the shapes of the published models. A line for each kernel:
its name, bytes of shared memory, and how many approximate logarithms there are in it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from realtime.engines.qwen3 import codec_kernels
from realtime.engines.qwen3 import triton_kernels as kernels
from realtime.engines.qwen3.fields import Field
from realtime.engines.qwen3.kernels import product_rows, splits, two_parts
from realtime.engines.qwen3.layers import Heads
from realtime.engines.qwen3.sampling import FRAME_STEP, FRAMES_BEFORE_END, GROUP_STEP, ID_STEP

HEADS = Heads(16, 8, 128, 1e-6)
_KIND = "*bf16"
#: Inputs, outputs and taps.
CONVOLUTIONS = ((768, 768, 7), (1536, 6144, 2), (96, 96, 7), (96, 96, 1), (96, 1, 7))
#: What of a layer, its inputs and outputs, and whether it is gated.
PRODUCTS = (
    *(("qkv", width, 4096, False) for width in (1024, 2048)),
    ("out", 2048, 1024, False),
    ("gate_up", 1024, 3072, True),
    ("gate_up", 2048, 6144, True),
    ("down", 3072, 1024, False),
    ("down", 6144, 2048, False),
)


def main() -> None:
    target = GPUTarget("cuda", int(sys.argv[1]), 32)
    for width in (1024, 2048):
        _build(
            target, f"add_norm {width}", kernels.add_norm, {"eps": "fp32"}, {"WIDTH": width, "BLOCK": width}
        )
    for name, inputs, outputs, gated in PRODUCTS:
        types = {"x_stride": "i32", "eps": "fp32"}
        fixed = {
            "TOKENS": 2,
            "INPUTS": inputs,
            "OUTPUTS": outputs,
            "ROWS": product_rows(inputs, outputs, gated),
        }
        first, second = two_parts(inputs)
        fixed |= {"FIRST": first, "SECOND": second, "NORMED": name == "qkv" or gated}
        fixed |= {"BIASED": False, "ADDED": name in ("out", "down"), "GATED": gated}
        _build(target, f"product {name} {inputs}", kernels.product, types, fixed)
    _build(target, "gated", kernels.gated, {}, {"WIDTH": 6144, "BLOCK": 1024})
    for parts, block in ((splits(1, HEADS), 64), (splits(64, HEADS), 64), (1, 16)):
        types = dict.fromkeys(("qkv_stride", "row_stride", "out_stride"), "i32")
        types |= {"rows": "*i32", "lengths": "*i32", "eps": "fp32"}
        if parts > 1:
            types |= {"partial": "*fp32", "weights": "*fp32"}
        fixed = {"HEADS": 16, "KV_HEADS": 8, "SIZE": 128, "QUERIES": 16, "BLOCK": block, "SPLITS": parts}
        _build(target, f"attend {parts} {block}", kernels.attend, types, fixed)
    types = {"partial": "*fp32", "weights": "*fp32"}
    _build(target, "combine", kernels.combine, types, {"SIZE": 128, "SPLITS": splits(1, HEADS)})
    for first, vocabulary, block in ((True, 3072, 4096), (False, 2048, 2048)):
        types = {"inputs": "*i32", "bars": "*fp32", "seen": "*u8" if first else "*fp32", "codes": "*i64"}
        types |= {"places": "i32", "group": "i32"}
        fixed = {"VOCABULARY": vocabulary, "BLOCK": block, "FIRST": first}
        fixed |= {"ROW": int(Field.ROW), "FRAME": int(Field.FRAME), "SEED": int(Field.SEED_LOW)}
        fixed |= {
            "TOP_K": int(Field.TOP_K),
            "TEMPERATURE": int(Field.TEMPERATURE),
            "PENALTY": int(Field.PENALTY),
        }
        fixed |= {"FRAMES_BEFORE_END": FRAMES_BEFORE_END, "FRAME_STEP": FRAME_STEP}
        fixed |= {"GROUP_STEP": GROUP_STEP, "ID_STEP": ID_STEP}
        _build(target, f"draw {vocabulary}", kernels.draw, types, fixed, num_warps=8)
    for inputs, outputs, taps in CONVOLUTIONS:
        types = dict.fromkeys(("total", "steps", "row_stride", "dilation"), "i32")
        fixed = {"INPUTS": inputs, "OUTPUTS": outputs, "TAPS": taps, "PRECISION": "tf32"}
        fixed |= {"WAVE": taps == 7, "ADDED": taps == 1, "STEPS": codec_kernels.BLOCK_STEPS}
        block, warps = codec_kernels.output_block(outputs)
        fixed |= {"BLOCK": block, "AT_ONCE": codec_kernels.BLOCK_BYTES // 2}
        options = {"num_warps": warps, "num_stages": codec_kernels.STAGES}
        name = f"convolution {inputs} {outputs} {taps}"
        _build(target, name, codec_kernels._convolution, types, fixed, **options)
    types = dict.fromkeys(("stride", "before", "after"), "i32")
    _build(target, "waves", codec_kernels._waves, types, {"CHANNELS": 96, "BLOCK": 1024})


def _build(
    target: GPUTarget,
    name: str,
    kernel: Any,
    types: Mapping[str, str],
    fixed: Mapping[str, Any],
    **options: int,
) -> None:
    """What is not in `types` or `fixed` is a pointer to numbers of 16 bits."""
    signature, constants, attributes = {}, {}, {}
    if "EARLY" in [each.name for each in kernel.params]:
        fixed = {**fixed, "EARLY": int(sys.argv[1]) >= 90}
    for index, parameter in enumerate(each.name for each in kernel.params):
        signature[parameter] = "constexpr" if parameter in fixed else types.get(parameter, _KIND)
        if parameter in fixed:
            constants[(index,)] = fixed[parameter]
        elif parameter not in ("rows", "lengths", "places", "group", "eps", "total", "steps", "dilation"):
            attributes[(index,)] = [["tt.divisibility", 16]]
    made = triton.compile(ASTSource(kernel, signature, constants, attributes), target=target, options=options)
    print(f"{name}: {made.metadata.shared} {made.asm['ptx'].count('lg2.approx')}")


if __name__ == "__main__":
    main()
