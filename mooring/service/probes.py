"""Asking the engines whether they answer, and whether they would keep a commit again after one that failed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from mooring.channels.state import CommitFailure
from storage import DatabaseInterface, MoobiusStorage
from storage.errors import StorageError
from storage.sizes import engines_of

_AT_ONCE = 16
_PATIENCE = 5.0
_READ_KEY = "health"
"""Asked for in every engine; whether it is there makes no difference."""

_BETWEEN_WRITES = 1.0
"""Seconds from one write to the next, however many look."""

_UNPROVED_SECONDS = 300.0
"""For so long a failed commit counts where the engine cannot find out whether the next one would be kept."""


@dataclass(frozen=True)
class EngineState:
    """What is known of the engines of one channel."""

    unanswered: str | None = None
    """Why one does not answer, None if all do."""
    failure: str | None = None
    """Why commits fail, None if none has failed or what made it fail is over."""


class EngineProbes:
    """Each group of engines is asked once for all its channels, and by a write only where a commit has failed. May be used from any thread."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._running: dict[Hashable, Future[None]] = {}
        self._tried: dict[Hashable, float] = {}
        """When a group was asked by a write last."""
        self._healed: dict[Hashable, float] = {}
        """When a write that was kept began last."""
        self._refused: dict[Hashable, str] = {}
        self._mute: set[Hashable] = set()
        """Groups that cannot be asked by a write."""

    def ask(self, storages: Mapping[str, MoobiusStorage], failures: Mapping[str, CommitFailure]) -> dict[str, EngineState]:
        """The state of each channel. Blocks for as long as the slowest engine, up to some seconds."""
        by_channel = {channel_id: _groups(storage) for channel_id, storage in storages.items()}
        groups = {group: engine for engines in by_channel.values() for group, engine in engines.items()}
        doubted = {group for channel_id, failure in failures.items() for group in by_channel[channel_id] if not self._is_over(group, failure)}
        answers = self._answers(groups, doubted)
        return {
            channel_id: EngineState(
                next((answer for group in engines if (answer := answers[group])), None) or next(iter(storages[channel_id].problems()), None),
                self._standing(engines, failures.get(channel_id)),
            )
            for channel_id, engines in by_channel.items()
        }

    def is_failing(self, storage: MoobiusStorage, failure: CommitFailure | None) -> bool:
        """Whether commits fail as far as is known. Asks no engine."""
        return self._standing(_groups(storage), failure) is not None

    def _answers(self, groups: Mapping[Hashable, DatabaseInterface], doubted: set[Hashable]) -> dict[Hashable, str | None]:
        pool = ThreadPoolExecutor(_AT_ONCE)
        with self._lock:
            for group, engine in groups.items():
                running = self._running.get(group)
                if running is None or running.done():  # one that hangs is not joined by others
                    self._running[group] = pool.submit(self._ask, group, engine, group in doubted)
            asked = {group: self._running[group] for group in groups}
        wait(asked.values(), _PATIENCE)
        pool.shutdown(wait=False, cancel_futures=True)
        return {group: _problem_of(answer) for group, answer in asked.items()}

    def _ask(self, group: Hashable, engine: DatabaseInterface, is_doubted: bool) -> None:
        """Raises StorageError if the engine does not answer."""
        engine.load_one(_READ_KEY)
        began = self._now()
        if not is_doubted or began - self._tried.get(group, -_BETWEEN_WRITES) < _BETWEEN_WRITES:
            return
        self._tried[group] = began
        try:
            is_kept = engine.probe()
        except StorageError as error:
            self._refused[group] = str(error)
            return
        self._refused.pop(group, None)
        if is_kept:
            self._healed[group] = began
        else:
            self._mute.add(group)

    def _is_over(self, group: Hashable, failure: CommitFailure) -> bool:
        if group in self._mute:
            return self._now() - failure.at > _UNPROVED_SECONDS
        return self._healed.get(group, failure.at) > failure.at

    def _standing(self, groups: Iterable[Hashable], failure: CommitFailure | None) -> str | None:
        left = [] if failure is None else [group for group in groups if not self._is_over(group, failure)]
        if failure is None or not left:
            return None
        now = next((self._refused[group] for group in left if group in self._refused), failure.reason)
        return failure.reason if now == failure.reason else f"{failure.reason}; asked now, storage says: {now}"


def _groups(storage: MoobiusStorage) -> dict[Hashable, DatabaseInterface]:
    return {engine.joint_group(): engine for engine in engines_of(storage) if engine.persistent}


def _problem_of(answer: Future[None]) -> str | None:
    if not answer.done() or answer.cancelled():
        return f"storage did not answer within {_PATIENCE:g} s"
    error = answer.exception()
    if error is None:
        return None
    if not isinstance(error, StorageError):
        raise error
    return f"storage does not answer: {error}"
