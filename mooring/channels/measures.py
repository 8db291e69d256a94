"""Counters and histograms of what happens several times for each event, cheap to keep; they become those of Prometheus when its page is made.

prometheus_client's own take a lock and check their arguments at every step, which came to a twentieth of an event.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString


class EventCounter(Collector):
    """Counts by the values of its labels. Counting is for one thread; any may make the page."""

    def __init__(self, registry: CollectorRegistry, name: str, explanation: str, *labels: str) -> None:
        self._name, self._explanation, self._labels = name, explanation, labels
        self._counts: dict[tuple[str, ...], int] = {}
        registry.register(self)

    def count(self, *values: str) -> None:
        """Count one more; a value for each label."""
        counts = self._counts
        counts[values] = counts.get(values, 0) + 1

    def collect(self) -> Iterator[Metric]:
        family = CounterMetricFamily(self._name, self._explanation, labels=self._labels)
        for values, count in list(self._counts.items()):
            family.add_metric(values, count)
        yield family

    def describe(self) -> Iterable[Metric]:
        return [CounterMetricFamily(self._name, self._explanation, labels=self._labels)]


class _Series:
    __slots__ = ("counts", "total")

    def __init__(self, bounds: int) -> None:
        self.counts = [0] * (bounds + 1)
        self.total = 0.0


class EventHistogram(Collector):
    """Seconds by the values of its labels, in buckets up to each of `bounds`. Observing is for one thread; any may make the page."""

    def __init__(self, registry: CollectorRegistry, name: str, explanation: str, *labels: str, bounds: Sequence[float]) -> None:
        self._name, self._explanation, self._labels, self._bounds = name, explanation, labels, bounds
        self._series: dict[tuple[str, ...], _Series] = {} if labels else {(): _Series(len(bounds))}
        registry.register(self)

    def observe(self, seconds: float, *values: str) -> None:
        """Note one more; a value for each label."""
        series = self._series.get(values)
        if series is None:
            series = self._series[values] = _Series(len(self._bounds))
        series.counts[bisect_left(self._bounds, seconds)] += 1
        series.total += seconds

    def collect(self) -> Iterator[Metric]:
        family = HistogramMetricFamily(self._name, self._explanation, labels=self._labels)
        edges = [*map(floatToGoString, self._bounds), "+Inf"]
        for values, series in list(self._series.items()):
            below, buckets = 0, []
            for edge, count in zip(edges, list(series.counts), strict=True):
                below += count
                buckets.append((edge, below))
            family.add_metric(values, buckets, series.total)
        yield family

    def describe(self) -> Iterable[Metric]:
        return [HistogramMetricFamily(self._name, self._explanation, labels=self._labels)]
