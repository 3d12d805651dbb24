"""Reads what `/metrics` tells, as Prometheus does: differences of counters, quantiles of histograms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from prometheus_client.parser import text_string_to_metric_families

Buckets = Mapping[float, float]


@dataclass(frozen=True, slots=True)
class Scrape:
    """All values of one moment; those that differ in their labels alone are added up."""

    values: Mapping[str, float]
    #: Of histograms: how many were not above a bound.
    buckets: Mapping[str, Buckets]

    @classmethod
    def of(cls, text: str) -> Scrape:
        """Of the text that `/metrics` answers."""
        values: dict[str, float] = {}
        buckets: dict[str, dict[float, float]] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name.endswith("_bucket"):
                    name, bound = sample.name.removesuffix("_bucket"), float(sample.labels["le"])
                    of_name = buckets.setdefault(name, {})
                    of_name[bound] = of_name.get(bound, 0.0) + sample.value
                else:
                    values[sample.name] = values.get(sample.name, 0.0) + sample.value
        return cls(values, buckets)

    def since(self, before: Scrape) -> Scrape:
        """What was added from then on; of a gauge that is no figure."""
        values = {name: value - before.values.get(name, 0.0) for name, value in self.values.items()}
        buckets = {
            name: {bound: count - before.buckets.get(name, {}).get(bound, 0.0) for bound, count in of.items()}
            for name, of in self.buckets.items()
        }
        return Scrape(values, buckets)

    def count(self, histogram: str) -> int:
        """How many it has."""
        return round(self.values.get(f"{histogram}_count", 0.0))

    def mean(self, histogram: str) -> float | None:
        """Their average; None without any."""
        count = self.count(histogram)
        return self.values[f"{histogram}_sum"] / count if count else None

    def quantile(self, histogram: str, share: float) -> float | None:
        """As `histogram_quantile` of Prometheus: within a bucket all are equally far apart."""
        ordered = sorted(self.buckets.get(histogram, {}).items())
        if not ordered or not ordered[-1][1]:
            return None
        wanted = share * ordered[-1][1]
        for (low, before), (high, count) in pairwise([(0.0, 0.0), *ordered]):
            if count >= wanted and count > before:
                if high == float("inf"):
                    return low
                return low + (high - low) * (wanted - before) / (count - before)
        return None
