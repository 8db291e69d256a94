"""One run: a service and its members, from the first join to the last check, by one seed."""

from __future__ import annotations

import hashlib
import random
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import Context
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.simulation.disk import Disk
from tests.simulation.invariants import Invariants
from tests.simulation.loop import SimulatedLoop
from tests.simulation.machine import Machine
from tests.simulation.members import Client, Network, SimulatedGateway, plan_of
from tests.simulation.scenarios import alone, together

_BEGINNING = 1_800_000_000.0
_NAMES = ("ann", "bob", "eve", "dan")


class Violation(AssertionError):
    """Something that must be true was not."""


@dataclass(frozen=True)
class Run:
    """What came of one seed."""

    seed: int
    digest: str
    steps: int
    kills: int
    faults: int
    answers: int
    seconds: float
    """Of simulated time."""

    def plus(self, other: Run) -> Run:
        """Both together."""
        sums = {name: getattr(self, name) + getattr(other, name) for name in ("steps", "kills", "faults", "answers", "seconds")}
        return replace(self, **sums)


class World:
    """Everything that one seed decides."""

    def __init__(self, seed: int, folder: Path, *, trace: bool = False) -> None:
        self.seed = seed
        self.is_shared = seed % 3 == 2
        """Whether two processes serve the channels."""
        self.random = random.Random(seed)
        self.loop = SimulatedLoop(self.random)
        self.context = Context()
        self.network = Network()
        self.invariants = Invariants(self)
        self.disk = Disk(folder, self.random)
        self.channels = ["tavern", "cellar"][: self.random.randint(1, 2)]
        self.clients: list[Client] = []
        self.kills = 0
        self.machines: list[Machine] = []
        self._digest = hashlib.sha256()
        self._trace = trace

    def note(self, *what: Any) -> None:
        """Add to the trace of the run."""
        line = f"{self.loop.now:.6f} {what}"
        self._digest.update(line.encode())
        if self._trace:
            print(line)

    def look(self) -> None:
        """Raise Violation if something was wrong until now."""
        if self.loop.failures:
            raise Violation("; ".join(self.loop.failures[:3]))

    def check(self, is_true: bool, what: str) -> None:
        """Note that `what` is wrong; the run ends with it when somebody looks."""
        if not is_true:
            self.loop.failures.append(what)

    def clock(self) -> float:
        """Seconds since 1970."""
        return _BEGINNING + self.loop.now

    def pick_gateway(self, channel_id: str) -> SimulatedGateway | None:
        """Somebody who listens."""
        found = [machine.gateway for machine in self.machines if machine.gateway is not None and machine.gateway.is_accepting]
        return self.random.choice(found) if found else None

    def run(self) -> Run:
        """Raises Violation."""
        self.loop.run_until_complete(self.loop.create_task(self._live(), context=self.context))
        seconds = self.loop.now
        return Run(self.seed, self._digest.hexdigest(), self.loop.steps, self.kills, self.disk.faults, self.invariants.answers, seconds)

    # --------------------------------------------------------------------------------------------------------------------

    async def _live(self) -> None:
        rng = self.random
        loss_rate = rng.choice((0.0, 0.0, 0.01, 0.05)) if self.is_shared else 0.0
        self.network = Network(rng.choice((0.002, 0.01, 0.1)), rng.choice((0.0, 0.0, 0.01, 0.05)), rng.choice((0.0, 0.05, 0.3)), loss_rate)
        names = _NAMES[: rng.randint(2, len(_NAMES))]
        for channel_id in self.channels:
            for name in names:
                plan = plan_of(rng, channel_id, name, names, rng.randint(4, 14))
                self.clients.append(Client(self, name, channel_id, plan, window=rng.choice((1, 1, 3, 8))))
        for client in self.clients:
            client.start()
        await (together if self.is_shared else alone)(self)


def run_seed(seed: int, *, trace: bool = False) -> Run:
    """Run one seed, and raise Violation, or whatever else happened, if something is wrong."""
    shared_memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared_memory if shared_memory.is_dir() else None) as folder, _seeded(seed):
        world = World(seed, Path(folder), trace=trace)
        try:
            run = world.run()
            world.look()
            return run
        finally:
            for machine in world.machines:
                machine.forget()
            world.loop.bury()
            world.loop.close()


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """The randomness of the system, which is nobody's to hand in: ids that must not be guessed come from it."""
    rng = random.Random(seed)
    token, state = secrets.token_hex, random.getstate()
    random.seed(seed)
    secrets.token_hex = lambda nbytes=None: rng.randbytes(nbytes or 8).hex()
    try:
        yield
    finally:
        secrets.token_hex = token
        random.setstate(state)
