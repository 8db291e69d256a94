"""What runs in threads elsewhere, as steps of the simulated loop. Each takes its time, and then happens at once."""

from __future__ import annotations

from collections.abc import Callable

from mooring.threads import Job, Threads
from storage.engine_support.committer import Committer, Work
from storage.errors import StorageError, StoreClosed
from storage.json.checkpoints import Checkpoints
from storage.outcome import Outcome
from tests.simulation.loop import Process, SimulatedLoop

_START_SECONDS = 0.0005
_STEP_SECONDS = 0.002
_CHECKPOINT_SECONDS = 0.02
_RETRY_SECONDS = 5.0


class SimulatedThreads(Threads):
    """Work of handlers and of the service that may block; here it may not block on what somebody else has to do."""

    def __init__(self, loop: SimulatedLoop) -> None:
        super().__init__()
        self._loop = loop

    def start(self, work: Callable[[], object], name: str = "") -> Job:
        job = Job(work, name)
        self._loop.call_later(self._loop.random.expovariate(1 / _START_SECONDS), self._loop.run_in_no_loop, job)
        return job


class SimulatedCommitter(Committer[Work]):
    """Takes all that came in by the time at which its thread would get to it."""

    loop: SimulatedLoop
    process: Process

    def __init__(self, step: Callable[[list[Work]], float | None], name: str, closed: str) -> None:
        super().__init__(step, name, closed)
        self._queue: list[Work] = []
        self._is_due = False
        self._patience: float | None = None

    def hand_in(self, work: Work, outcome: Outcome) -> None:
        work.outcome = outcome
        if self._closed:
            raise StoreClosed(self._refusal)
        self._queue.append(work)
        if not self._is_due:
            self._wake(self.loop.random.expovariate(1 / _STEP_SECONDS))

    def close(self) -> None:
        self._closed = True
        while self._queue or self._patience is not None:
            self._take_step()

    def _wake(self, seconds: float) -> None:
        self._is_due = True
        self.loop.call_later(seconds, self.loop.run_in_no_loop, self._take_step, context=self.process.context)

    def _take_step(self) -> None:
        self._is_due = False
        # What comes in while a step is under way waits for the next, and was handed in before anybody heard of this one's failures.
        count = self.loop.random.randint(1, len(self._queue)) if len(self._queue) > 1 else len(self._queue)
        work, self._queue = self._queue[:count], self._queue[count:]
        self._patience = self._step(work)
        if self._queue and not self._closed:
            self._wake(self.loop.random.expovariate(1 / _STEP_SECONDS))
            return
        if self._patience is not None and not self._closed:
            self._wake(self._patience)


class SimulatedCheckpoints(Checkpoints):
    """Checkpoints a while after they are wanted, and again later if they fail."""

    loop: SimulatedLoop
    process: Process

    def wake(self) -> None:
        if not self._wanted.is_set() and not self._closing.is_set():
            self._wanted.set()
            self._later(self.loop.random.expovariate(1 / _CHECKPOINT_SECONDS))

    def close(self) -> None:
        self._closing.set()

    def _later(self, seconds: float) -> None:
        self.loop.call_later(seconds, self.loop.run_in_no_loop, self._make, context=self.process.context)

    def _make(self) -> None:
        if self._closing.is_set():
            return
        try:
            self._work()
        except (OSError, StorageError):
            self._later(_RETRY_SECONDS)
        else:
            self._wanted.clear()
