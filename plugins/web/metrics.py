"""What the gateway counts, for `/metrics`. No name and no id of a member is ever a label."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from mooring import Reading, Readings

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class GatewayMetrics:
    """The counters of one gateway, in a registry of their own, so that several gateways in one process do not meet."""

    def __init__(self, read: Callable[[], Iterable[Reading]]) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(Readings(read))
        # Cached, as it happens several times for each event: a metric checks and joins its labels anew each time.
        self.frames = cache(self._counter("mooring_frames_up", "Frames that members sent, by type.", "type").labels)
        self.refused = cache(self._counter("mooring_frames_refused", "Frames answered by an error frame, by its code.", "code").labels)
        self.events = cache(self._counter("mooring_events", "Events that were acknowledged, by type and result.", "type", "result").labels)
        self.commands = cache(self._counter("mooring_commands", "Commands that were acknowledged, by name and result.", "command", "result").labels)
        seconds = Histogram(
            "mooring_event_seconds",
            "From an event's frame to its acknowledgement, by type; queueing, handler and commit included.",
            ["type"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.seconds = cache(seconds.labels)
        self.downs = cache(self._counter("mooring_downs", "What channels sent, by type; once for each send, whoever gets it.", "type").labels)
        self.closed = cache(self._counter("mooring_connections_closed", "Connections that the gateway ended, by reason.", "reason").labels)

    def page(self) -> bytes:
        """Everything in the text format of Prometheus."""
        return generate_latest(self.registry)

    def _counter(self, name: str, explanation: str, *labels: str) -> Counter:
        return Counter(name, explanation, labels, registry=self.registry)
