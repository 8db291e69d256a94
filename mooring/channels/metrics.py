"""What the service measures of itself, for Prometheus. No name and no id of a member is ever a label."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, GCCollector, Info, ProcessCollector, generate_latest

from mooring.channels.damage import damage_in
from mooring.channels.gauges import PluginGauges, Reading, Readings
from mooring.channels.measures import EventCounter, EventHistogram
from mooring.channels.turn import Turn
from mooring.events import Acknowledgement
from mooring.version import __version__
from storage import CachedDict, MoobiusStorage
from storage.sizes import engines_of, shared_sizes, size_of
from storage.usage import Usage, usage_by_dict, usage_of

_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)


class Metrics:
    """The measures of one service, in a registry of their own, so that several services in one process do not meet."""

    def __init__(
        self,
        storages: Callable[[], Mapping[str, MoobiusStorage]] = dict,
        outboxes: Callable[[], Iterable[Reading]] = tuple,
        shared_dicts: Callable[[], Iterable[tuple[str, CachedDict]]] = tuple,
    ) -> None:
        self._storages = storages
        self._shared_dicts = shared_dicts
        self.plugin_gauges = PluginGauges()
        self.registry = CollectorRegistry()
        self.registry.register(Readings(self._sizes))
        self.registry.register(Readings(outboxes))
        self.registry.register(Readings(self._losses))
        self.registry.register(Readings(self.plugin_gauges.read))
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        build = Info("mooring_build", "Which version runs, on which Python.", registry=self.registry)
        build.info({"version": __version__, "python": platform.python_version()})
        self._turns = EventCounter(self.registry, "mooring_turns", "Events as the channels ended them, by type and result.", "type", "result")
        self._handled = EventCounter(self.registry, "mooring_handlers", "Runs of commands and hooks, by name and result.", "handler", "result")
        self._waiting = self._histogram("mooring_queue_wait_seconds", "From the queue's end to its head.")
        self._handling = self._histogram("mooring_handler_seconds", "What commands and hooks take, by name.", "handler")
        self._commit = self._histogram("mooring_commit_seconds", "From the end of the handler to the engines' word that all is kept.")
        self.waited = self._waiting.observe
        """Takes the seconds that an event waited until it came to the head of its queue."""
        self.committed = self._commit.observe
        """Takes the seconds from the end of a turn's handler until its commit was kept."""
        self._conflicts = self._counter("mooring_conflicts", "Events that were run again because another process or channel committed first.")
        self._given_up = self._counter("mooring_schedules_given_up", "Scheduled calls that failed at every try.")
        self._blocked = self._counter("mooring_loop_blocked", "How often something blocked the event loop.")

    def add(self, read: Callable[[], Iterable[Reading]]) -> None:
        """Put more gauges of the service's own on the page."""
        self.registry.register(Readings(read))

    def page(self) -> bytes:
        """Everything in the text format of Prometheus. Engines and plugins are asked for their gauges, which blocks."""
        return generate_latest(self.registry)

    def ran(self, turn: Turn, handling: float, *, is_kept: bool) -> None:
        """A turn was run; `is_kept` false says that it was undone."""
        handler = turn.handler or _kind(turn)
        self._handled.count(handler, "kept" if is_kept else "undone")
        self._handling.observe(handling, handler)

    def ended(self, kind: str, answer: Acknowledgement, *, failed: bool) -> None:
        """An event was answered; `failed` tells a fault of ours from a refusal."""
        result = "repeated" if answer.repeated else "ok" if answer.ok else "failed" if failed else "refused"
        self._turns.count(kind, result)

    def conflict(self) -> None:
        """An event is run again."""
        self._conflicts.inc()

    def given_up(self) -> None:
        """A scheduled call failed at its last try."""
        self._given_up.inc()

    def blocked(self) -> None:
        """Something blocked the event loop."""
        self._blocked.inc()

    def _sizes(self) -> Iterator[Reading]:
        storages = dict(self._storages())
        own = [({"channel": channel_id}, size) for channel_id, storage in storages.items() if (size := size_of(storage)) is not None]
        yield "mooring_storage_bytes", "What the dicts of a channel take where they are kept.", own
        held = [({"channel": channel_id, "dict": name}, usage) for channel_id, storage in storages.items() for name, usage in usage_by_dict(storage)]
        held += [({"channel": "", "dict": name}, usage_of([each])) for name, each in self._shared_dicts() if each.is_loaded]
        yield "mooring_dict_keys", "The keys of each dict of a channel that is in memory; a plugin's store is PLUGIN.STORE.", _each(held, "keys")
        yield "mooring_dict_bytes", "The bytes of their values as they are kept.", _each(held, "size")
        shared = [({"engine": engine}, size) for engine, size in shared_sizes(storages.values()).items()]
        yield "mooring_storage_shared_bytes", "What engines keep for many dicts together: journals and streams.", shared

    def _losses(self) -> Iterator[Reading]:
        lost = {channel_id: {engine.group(): engine.lost_commits for engine in engines_of(each)} for channel_id, each in self._storages().items()}
        values = [({"channel": channel_id}, sum(counts.values())) for channel_id, counts in lost.items() if any(counts.values())]
        yield "mooring_storage_lost_commits", "Acknowledged commits that a server has lost, as far as this process knows.", values
        damaged = [({"channel": channel_id}, len(damage_in(each))) for channel_id, each in self._storages().items()]
        yield "mooring_damaged_places", "Places in the stored data of a channel that were damaged and set aside.", damaged

    def _counter(self, name: str, explanation: str) -> Counter:
        return Counter(name, explanation, registry=self.registry)

    def _histogram(self, name: str, explanation: str, *labels: str) -> EventHistogram:
        return EventHistogram(self.registry, name, explanation, *labels, bounds=_SECONDS)


def _each(held: Iterable[tuple[Mapping[str, str], Usage]], what: str) -> list[tuple[Mapping[str, str], float]]:
    return [(labels, float(getattr(usage, what))) for labels, usage in held]


def _kind(turn: Turn) -> str:
    return turn.event.type if turn.event is not None else "work"
