"""The kernels themselves, in Triton; `kernels.py` launches them. Each does what `parts.py` names beside it.

Triton is imported here alone, and this module only where its kernels are asked for. With TRITON_INTERPRET=1
they run on the CPU, slowly. All sums are in float32.

EARLY: a kernel is launched as soon as all programs of the one ahead have begun (`programmatic dependent
launch`, CUDA's programming guide), and `_wait` waits for what that one writes. Before it only weights may be
read, as the kernel ahead of that one may not be over either.
"""
# mypy: ignore-errors
# ruff: noqa: N803 (names of what is fixed when a kernel is compiled are upper case, as usual in Triton)

import triton
import triton.language as tl
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait


@triton.jit
def _wait(EARLY: tl.constexpr):
    if EARLY:
        gdc_launch_dependents()
        gdc_wait()


@triton.jit
def add_norm(
    x, more, weight, added, normed, eps, WIDTH: tl.constexpr, BLOCK: tl.constexpr, EARLY: tl.constexpr
):
    """Of one token each, (tokens, WIDTH): `added` = x + more, `normed` = its RMS norm times `weight`."""
    at = tl.arange(0, BLOCK)
    mask = at < WIDTH
    here = tl.program_id(0).to(tl.int64) * WIDTH + at
    kind = added.dtype.element_ty
    factor = tl.load(weight + at, mask=mask, other=0.0).to(tl.float32)
    _wait(EARLY)
    left = tl.load(x + here, mask=mask, other=0.0).to(tl.float32)
    total = (left + tl.load(more + here, mask=mask, other=0.0).to(tl.float32)).to(kind)
    tl.store(added + here, total, mask=mask)
    total = total.to(tl.float32)
    scale = tl.rsqrt(tl.sum(total * total, 0) / WIDTH + eps)
    tl.store(normed + here, (factor * (total * scale).to(kind).to(tl.float32)).to(kind), mask=mask)


@triton.jit
def gated(gate_up, out, WIDTH: tl.constexpr, BLOCK: tl.constexpr, EARLY: tl.constexpr):
    """Of BLOCK numbers of a token: SiLU of the first half of `gate_up` (tokens, 2 WIDTH), times the rest."""
    token = tl.program_id(0).to(tl.int64)
    at = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    mask = at < WIDTH
    _wait(EARLY)
    gate = tl.load(gate_up + token * 2 * WIDTH + at, mask=mask, other=0.0).to(tl.float32)
    up = tl.load(gate_up + token * 2 * WIDTH + WIDTH + at, mask=mask, other=0.0).to(tl.float32)
    kind = out.dtype.element_ty
    silu = (gate / (1.0 + tl.exp(-gate))).to(kind).to(tl.float32)
    tl.store(out + token * WIDTH + at, (silu * up).to(kind), mask=mask)


@triton.jit
def _part(weight, rows, k, OUTPUTS: tl.constexpr, INPUTS: tl.constexpr):
    """The numbers `k` of each of the `rows` of a matrix: (rows, k)."""
    mask = (rows < OUTPUTS)[:, None] & (k < INPUTS)[None, :]
    return tl.load(weight + rows.to(tl.int64)[:, None] * INPUTS + k[None, :], mask=mask, other=0.0)


@triton.jit
def _row(pointer, k, INPUTS: tl.constexpr):
    """The numbers `k` of one row: (1, k)."""
    return tl.load(pointer + k, mask=k < INPUTS, other=0.0).to(tl.float32)[None, :]


@triton.jit
def product(
    x,
    x_stride,
    weight,
    norm,
    bias,
    added,
    out,
    eps,
    TOKENS: tl.constexpr,
    INPUTS: tl.constexpr,
    OUTPUTS: tl.constexpr,
    ROWS: tl.constexpr,
    FIRST: tl.constexpr,
    SECOND: tl.constexpr,
    NORMED: tl.constexpr,
    BIASED: tl.constexpr,
    ADDED: tl.constexpr,
    GATED: tl.constexpr,
    EARLY: tl.constexpr,
):
    """ROWS numbers of `out` (TOKENS, OUTPUTS): `x` (TOKENS, INPUTS) times those rows of a matrix.

    From token to token of `x` are `x_stride`. NORMED: `x` passes the RMS norm with the factors `norm`. BIASED
    and ADDED: `bias` (OUTPUTS,) and `added`, of the shape of `out`, are added. GATED: the matrix has OUTPUTS
    rows more, and the result is SiLU of the first half times the second. A program has all of its part of the
    matrix under way at once, FIRST numbers of each row and SECOND more.
    """
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    mask = rows < OUTPUTS
    kind = out.dtype.element_ty
    k = tl.arange(0, FIRST)
    matrix = _part(weight, rows, k, OUTPUTS, INPUTS)
    if GATED:
        matrix_up = _part(weight + OUTPUTS * INPUTS, rows, k, OUTPUTS, INPUTS)
    if NORMED:
        factors = _row(norm, k, INPUTS)
    if SECOND > 0:
        k_more = FIRST + tl.arange(0, SECOND)
        matrix_more = _part(weight, rows, k_more, OUTPUTS, INPUTS)
        if GATED:
            matrix_up_more = _part(weight + OUTPUTS * INPUTS, rows, k_more, OUTPUTS, INPUTS)
        if NORMED:
            factors_more = _row(norm, k_more, INPUTS)
    _wait(EARLY)
    for token in tl.static_range(TOKENS):
        value = _row(x + token * x_stride, k, INPUTS)
        if NORMED:
            squares = tl.sum(value * value, 1)
            value *= factors
        result = tl.sum(matrix.to(tl.float32) * value, 1)
        if GATED:
            up = tl.sum(matrix_up.to(tl.float32) * value, 1)
        if SECOND > 0:
            value = _row(x + token * x_stride, k_more, INPUTS)
            if NORMED:
                squares += tl.sum(value * value, 1)
                value *= factors_more
            result += tl.sum(matrix_more.to(tl.float32) * value, 1)
            if GATED:
                up += tl.sum(matrix_up_more.to(tl.float32) * value, 1)
        if NORMED:
            scale = tl.rsqrt(squares / INPUTS + eps)
            result *= scale
        if BIASED:
            result += tl.load(bias + rows, mask=mask, other=0.0).to(tl.float32)
        result = result.to(kind).to(tl.float32)
        if GATED:
            if NORMED:
                up *= scale
            silu = (result / (1.0 + tl.exp(-result))).to(kind).to(tl.float32)
            result = silu * up.to(kind).to(tl.float32)
        to = token * OUTPUTS + rows
        if ADDED:
            result += tl.load(added + to, mask=mask, other=0.0).to(tl.float32)
        tl.store(out + to, result.to(kind), mask=mask)


@triton.jit
def _turned(parts, factors, cos, sin, mask, eps, SIZE: tl.constexpr):
    """Heads at `parts`, normed with what is at `factors`, and turned; pointers are (heads, 1)."""
    d = tl.arange(0, SIZE)[None, :]
    swapped = (d + SIZE // 2) % SIZE
    x = tl.load(parts + d, mask=mask, other=0.0).to(tl.float32)
    scale = tl.rsqrt(tl.sum(x * x, 1) / SIZE + eps)[:, None]
    y = tl.load(parts + swapped, mask=mask, other=0.0).to(tl.float32)
    x = x * scale * tl.load(factors + d, mask=mask, other=0.0).to(tl.float32)
    y = y * scale * tl.load(factors + swapped, mask=mask, other=0.0).to(tl.float32)
    return x * cos + y * sin


@triton.jit
def attend(
    qkv,
    qkv_stride,
    norm,
    rope,
    keys,
    values,
    row_stride,
    rows,
    lengths,
    out,
    out_stride,
    partial,
    weights,
    eps,
    HEADS: tl.constexpr,
    KV_HEADS: tl.constexpr,
    SIZE: tl.constexpr,
    QUERIES: tl.constexpr,
    BLOCK: tl.constexpr,
    SPLITS: tl.constexpr,
    EARLY: tl.constexpr,
):
    """Attention of one place, one head of keys and one of SPLITS parts of the positions: flash-decoding.

    Norms and turns q and k, appends k and v at the place's length, and attends to all there is then. With one
    split the result goes to `out`; else each leaves `partial` (B, HEADS, SPLITS, SIZE) and the logarithm of
    its `weights` (B, HEADS, SPLITS) to `combine`. QUERIES: heads of queries of one of keys, or more.
    """
    place, kv_head, split = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    group: tl.constexpr = HEADS // KV_HEADS
    _wait(EARLY)
    row, length = tl.load(rows + place).to(tl.int64), tl.load(lengths + place)
    kind = keys.dtype.element_ty
    d = tl.arange(0, SIZE)
    g = tl.arange(0, QUERIES)
    heads = kv_head * group + g
    mine = (g < group)[:, None]
    qkv += place.to(tl.int64) * qkv_stride
    rope += length.to(tl.int64) * 2 * SIZE
    cos = tl.load(rope + d).to(tl.float32)[None, :]
    sin = tl.load(rope + SIZE + d).to(tl.float32)[None, :]
    q = _turned(qkv + heads[:, None] * SIZE, norm + heads[:, None] * SIZE, cos, sin, mine, eps, SIZE).to(kind)
    key_head = HEADS + kv_head + tl.zeros((1, 1), tl.int32)
    one = key_head >= 0
    k = _turned(qkv + key_head * SIZE, norm + key_head * SIZE, cos, sin, one, eps, SIZE).to(kind)
    v = tl.load(qkv + (key_head + KV_HEADS) * SIZE + d[None, :])

    keys += row * row_stride + kv_head * SIZE
    values += row * row_stride + kv_head * SIZE
    scale = 1.0 / (SIZE**0.5)
    # The first split has the new position besides its share.
    first = split == 0
    best = tl.where(first, tl.sum(q.to(tl.float32) * k.to(tl.float32), 1) * scale, -float("inf"))
    weight = tl.where(first, 1.0, 0.0) + tl.zeros((QUERIES,), tl.float32)
    result = tl.where(first, v.to(tl.float32), 0.0) + tl.zeros((QUERIES, SIZE), tl.float32)
    if first:
        appended = length.to(tl.int64) * (KV_HEADS * SIZE) + d[None, :]
        tl.store(keys + appended, k)
        tl.store(values + appended, v)
    share = tl.cdiv(tl.cdiv(length, BLOCK), SPLITS) * BLOCK
    end = tl.minimum(split * share + share, length)
    for start in range(split * share, end, BLOCK):
        n = start + tl.arange(0, BLOCK)
        there = n < end
        here = n.to(tl.int64)[:, None] * (KV_HEADS * SIZE) + d[None, :]
        old = tl.load(keys + here, mask=there[:, None], other=0.0)
        scores = tl.dot(q, tl.trans(old), input_precision="ieee") * scale
        scores = tl.where(there[None, :], scores, -float("inf"))
        better = tl.maximum(best, tl.max(scores, 1))
        fade = tl.exp(best - better)
        scores = tl.exp(scores - better[:, None])
        weight = weight * fade + tl.sum(scores, 1)
        old = tl.load(values + here, mask=there[:, None], other=0.0)
        result = result * fade[:, None] + tl.dot(scores.to(kind), old, input_precision="ieee")
        best = better
    some = weight > 0.0
    weight = tl.where(some, weight, 1.0)
    result = result / weight[:, None]
    if SPLITS == 1:
        to = place.to(tl.int64) * out_stride + heads[:, None] * SIZE + d[None, :]
        tl.store(out + to, result.to(out.dtype.element_ty), mask=mine)
    else:
        to = (place * HEADS + heads) * SPLITS + split
        tl.store(partial + to[:, None] * SIZE + d[None, :], result, mask=mine)
        tl.store(weights + to, tl.where(some, best + tl.log(weight), -float("inf")), mask=g < group)


@triton.jit
def combine(partial, weights, out, SIZE: tl.constexpr, SPLITS: tl.constexpr, EARLY: tl.constexpr):
    """Puts the splits of one head of one place together: `out` (B, heads, SIZE)."""
    head = tl.program_id(0)
    d = tl.arange(0, SIZE)
    at = head * SPLITS + tl.arange(0, SPLITS)
    _wait(EARLY)
    weight = tl.load(weights + at)
    weight = tl.exp(weight - tl.max(weight, 0))
    parts = tl.load(partial + at[:, None] * SIZE + d[None, :])
    result = tl.sum(parts * weight[:, None], 0) / tl.sum(weight, 0)
    tl.store(out + head * SIZE + d, result.to(out.dtype.element_ty))


@triton.jit
def _mixed(x):
    """A hash of 32 bits, of uint32: as in `sampling.py`."""
    x = (x ^ (x >> 16)) * 0x7FEB352D
    x = (x ^ (x >> 15)) * 0x846CA68B
    return x ^ (x >> 16)


@triton.jit
def _unsigned(pointer):
    return tl.load(pointer).to(tl.uint32, bitcast=True)


@triton.jit
def _number(pointer):
    return tl.load(pointer).to(tl.float32, bitcast=True)


@triton.jit(do_not_specialize=["group"])
def draw(
    logits,
    inputs,
    bars,
    seen,
    codes,
    places,
    group,
    VOCABULARY: tl.constexpr,
    BLOCK: tl.constexpr,
    FIRST: tl.constexpr,
    ROW: tl.constexpr,
    FRAME: tl.constexpr,
    SEED: tl.constexpr,
    TOP_K: tl.constexpr,
    TEMPERATURE: tl.constexpr,
    PENALTY: tl.constexpr,
    FRAMES_BEFORE_END: tl.constexpr,
    FRAME_STEP: tl.constexpr,
    GROUP_STEP: tl.constexpr,
    ID_STEP: tl.constexpr,
    EARLY: tl.constexpr,
):
    """Draws the code of one place, as `sampling.py` does, without sorting: limits are found by their bits.

    `inputs`: (fields, places), whose rows ROW, FRAME, SEED (low, high), TOP_K, TEMPERATURE (then rest and
    noise) and PENALTY are read. FIRST: the first code of a frame, with penalty and `bars`; it is marked in
    `seen`.
    """
    tl.static_assert(VOCABULARY < 65536)
    place = tl.program_id(0)
    ids = tl.arange(0, BLOCK)
    mask = ids < VOCABULARY
    told = inputs + place
    _wait(EARLY)
    x = tl.load(logits + place * VOCABULARY + ids, mask=mask, other=-float("inf")).to(tl.float32)
    frame = tl.load(told + FRAME * places)
    if FIRST:
        row = tl.load(told + ROW * places).to(tl.int64)
        penalty = _number(told + PENALTY * places)
        had = tl.load(seen + row * VOCABULARY + ids, mask=mask, other=0) != 0
        x = tl.where(had, tl.where(x < 0.0, x * penalty, x / penalty), x)
        late = (frame >= FRAMES_BEFORE_END).to(tl.int32)
        x += tl.load(bars + late * VOCABULARY + ids, mask=mask, other=0.0)
    x = x / _number(told + TEMPERATURE * places)

    # As whole numbers, the scores have the same order: limits among them are found from the highest bit on.
    whole = x.to(tl.int32, bitcast=True)
    order = tl.where(whole < 0, ~whole, whole | -2147483648).to(tl.uint32, bitcast=True)
    order = tl.where(mask, order, 0)
    limit = tl.zeros((), tl.uint32)
    top_k = tl.load(told + TOP_K * places)
    if top_k < VOCABULARY:
        # The largest limit that at least top_k scores reach: the top_k-th score. Two bits at a time, as every
        # sum costs a barrier: how many reach each of three limits is counted in 16 bits each.
        for step in range(16):
            shift = 30 - 2 * step
            low = order >= (limit | (tl.full((), 1, tl.uint32) << shift))
            middle = order >= (limit | (tl.full((), 2, tl.uint32) << shift))
            high = order >= (limit | (tl.full((), 3, tl.uint32) << shift))
            reach = low.to(tl.int64) + (middle.to(tl.int64) << 16) + (high.to(tl.int64) << 32)
            reach = tl.sum(reach, 0)
            bits = ((reach & 65535) >= top_k).to(tl.uint32) + (((reach >> 16) & 65535) >= top_k).to(tl.uint32)
            bits += ((reach >> 32) >= top_k).to(tl.uint32)
            limit |= bits << shift
    x = tl.where(order >= limit, x, -float("inf"))
    rest = _number(told + (TEMPERATURE + 1) * places)
    if rest >= 0.0:
        # The largest limit with no more than `rest` of the probability below it.
        mass = tl.exp(x - tl.max(x, 0))
        rest = rest * tl.sum(mass, 0)
        limit = tl.zeros((), tl.uint32)
        for step in range(32):
            higher = limit | (tl.full((), 1, tl.uint32) << (31 - step))
            limit = tl.where(tl.sum(tl.where(order < higher, mass, 0.0), 0) <= rest, higher, limit)
        # The likeliest stays whatever top-p says.
        limit = tl.minimum(limit, tl.max(order, 0))
        x = tl.where(order >= limit, x, -float("inf"))

    key = _mixed(_mixed(_unsigned(told + SEED * places)) ^ _unsigned(told + (SEED + 1) * places))
    key = _mixed(key + frame.to(tl.uint32, bitcast=True) * FRAME_STEP)
    key = _mixed(key + (group + 1).to(tl.uint32) * GROUP_STEP)
    noise = _mixed(key + (ids + 1).to(tl.uint32) * ID_STEP)
    uniform = ((noise >> 9).to(tl.float32) + 0.5) * 1.1920928955078125e-07
    x = x - tl.log(-tl.log(uniform)) * _number(told + (TEMPERATURE + 2) * places)
    code = tl.argmax(x, 0, tie_break_left=True)
    tl.store(codes + place, code.to(tl.int64))
    if FIRST:
        tl.store(seen + row * VOCABULARY + code, 1)
