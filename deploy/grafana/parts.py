"""What panels are made of: queries, panels, rows, and the expressions that they have in common."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["timeseries", "stat", "heatmap", "state-timeline"]


@dataclass(frozen=True, slots=True)
class Query:
    """An expression of PromQL, and what its lines are called."""

    expr: str
    legend: str = ""
    exemplars: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """`thresholds`: from where on it is yellow, and red (of one: red). `words`: instead of values."""

    title: str
    description: str
    unit: str
    queries: tuple[Query, ...]
    kind: Kind = "timeseries"
    width: int = 8
    height: int = 8
    thresholds: tuple[float, ...] = ()
    words: dict[str, tuple[str, str]] = field(default_factory=dict)
    decimals: int | None = None
    stacked: bool = False
    logarithmic: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under one heading."""

    title: str
    panels: tuple[Panel, ...]


#: Of the servers that were chosen.
HERE = 'instance=~"$instance"'
#: Errors that are the server's.
FAULTS = "engine_failed|internal|storage_failed"
#: What asks again and again whether the server is there, and would hide those who want to hear something.
NO_PROBES = 'endpoint!~"/metrics|/health|/ready"'


def rate(metric: str, *labels: str) -> str:
    """In a second, of each series."""
    return f"rate({metric}{{{', '.join([HERE, *labels])}}}[$__rate_interval])"


def quantile(share: float, metric: str, by: str = "", over: str = "$__rate_interval") -> str:
    """What such a share does not exceed, of all servers together and for each value of the label `by`."""
    labels = f"{by}, le" if by else "le"
    return f"histogram_quantile({share:g}, sum by ({labels}) (rate({metric}_bucket{{{HERE}}}[{over}])))"


def quantiles(metric: str, *shares: float) -> tuple[Query, ...]:
    """A line for each share."""
    return tuple(Query(quantile(share, metric), percentile(share)) for share in shares)


def percentile(share: float) -> str:
    """What people call it."""
    return f"p{share * 100:g}"
