"""What a step is told of each place: the rows of a table (fields, B) of int32."""

from __future__ import annotations

from enum import IntEnum


class Field(IntEnum):
    """Rows of the table. From `TEMPERATURE` on they hold float32, bit for bit.

    `ROW`: of KV and state. `TEXT`: the text token. `LENGTH`: positions of the row in use. `FRAME`: frames
    made. `SEED_LOW`, `SEED_HIGH`: halves of the seed. How the first code is drawn: `TOP_K` (1 to the
    vocabulary's size), `TEMPERATURE`, `REST` (1 - top_p, below 0: no top-p), `NOISE` (1, or 0 for the
    likeliest), `PENALTY`; and with `SUB_` how the others are.
    """

    ROW = 0
    TEXT = 1
    LENGTH = 2
    FRAME = 3
    SEED_LOW = 4
    SEED_HIGH = 5
    TOP_K = 6
    SUB_TOP_K = 7
    TEMPERATURE = 8
    REST = 9
    NOISE = 10
    PENALTY = 11
    SUB_TEMPERATURE = 12
    SUB_REST = 13
    SUB_NOISE = 14
