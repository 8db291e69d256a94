"""What the gateway counts, for `/metrics`. No name and no id of a member is ever a label."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, generate_latest

from mooring import EventCounter, EventHistogram, Reading, Readings

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class GatewayMetrics:
    """The counters of one gateway, in a registry of their own, so that several gateways in one process do not meet."""

    def __init__(self, read: Callable[[], Iterable[Reading]]) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(Readings(read))
        self.frames = self._counter("mooring_frames_up", "Frames that members sent, by type.", "type")
        self.refused = self._counter("mooring_frames_refused", "Frames answered by an error frame, by its code.", "code")
        self.events = self._counter("mooring_events", "Events that were acknowledged, by type and result.", "type", "result")
        self.commands = self._counter("mooring_commands", "Commands that were acknowledged, by name and result.", "command", "result")
        self.seconds = EventHistogram(
            self.registry,
            "mooring_event_seconds",
            "From an event's frame to its acknowledgement, by type; queueing, handler and commit included.",
            "type",
            bounds=_SECONDS,
        )
        self.downs = self._counter("mooring_downs", "What channels sent, by type; once for each send, whoever gets it.", "type")
        self.closed = self._counter("mooring_connections_closed", "Connections that the gateway ended, by reason.", "reason")

    def page(self) -> bytes:
        """Everything in the text format of Prometheus."""
        return generate_latest(self.registry)

    def _counter(self, name: str, explanation: str, *labels: str) -> EventCounter:
        return EventCounter(self.registry, name, explanation, *labels)
