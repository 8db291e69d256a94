"""Counters and histograms of events: on the page they are what prometheus_client makes of its own."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from mooring.channels.measures import EventCounter, EventHistogram

BOUNDS = (0.001, 0.1, 1.0)
SECONDS = [0.0, 0.001, 0.0011, 0.1, 0.5, 1.0, 1.5, 60.0]


def samples(registry: CollectorRegistry) -> set[tuple[str, tuple[tuple[str, str], ...], float]]:
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {
        (sample.name, tuple(sorted(sample.labels.items())), sample.value)
        for family in families
        for sample in family.samples
        if not sample.name.endswith("_created")  # when a series began, which Prometheus itself does not ask for
    }


def test_a_counter_is_that_of_the_library() -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    counter, other = EventCounter(ours, "mooring_x", "X.", "type", "result"), Counter("mooring_x", "X.", ["type", "result"], registry=theirs)
    for values in [("a", "ok"), ("a", "ok"), ("b", 'with "quotes"\n'), ("a", "failed")]:
        counter.count(*values)
        other.labels(*values).inc()
    assert samples(ours) == samples(theirs)


def test_a_histogram_is_that_of_the_library() -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    histogram = EventHistogram(ours, "mooring_x_seconds", "X.", "type", bounds=BOUNDS)
    other = Histogram("mooring_x_seconds", "X.", ["type"], buckets=BOUNDS, registry=theirs)
    for number, seconds in enumerate(SECONDS):
        histogram.observe(seconds, f"type {number % 2}")
        other.labels(f"type {number % 2}").observe(seconds)
    assert samples(ours) == samples(theirs)


def test_a_histogram_without_labels_is_there_from_the_beginning() -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    EventHistogram(ours, "mooring_x_seconds", "X.", bounds=BOUNDS)
    Histogram("mooring_x_seconds", "X.", buckets=BOUNDS, registry=theirs)
    assert samples(ours) == samples(theirs)
