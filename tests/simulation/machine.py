"""One process that serves the channels, from its start to its end, which may come at any moment."""

from __future__ import annotations

import asyncio
import atexit
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mooring import ChannelService, MoobiusStorage
from mooring.environment import Environment
from storage.database_interface import DatabaseInterface
from storage.db_config import DictConfig
from storage.domains import domain_of
from storage.engine_support.shared_instances import SharedInstances
from storage.errors import StorageError
from storage.json.database import JSONDatabase
from storage.json.store import Store
from tests.simulation.disk import Disk
from tests.simulation.loop import Process
from tests.simulation.members import SimulatedGateway
from tests.simulation.plugins.market import DICTS
from tests.simulation.threads import SimulatedCheckpoints, SimulatedCommitter, SimulatedThreads

if TYPE_CHECKING:
    from tests.simulation.world import World

_PLUGINS = Path(__file__).with_name("plugins")


class SimulatedStore(Store):
    """A store whose checkpoints make no pauses, as nothing runs beside them."""

    def _checkpoint_in_background(self) -> None:
        self.checkpoint()


class Machine:
    """A service, the disk that it writes to and the gateway that leads to it."""

    def __init__(self, world: World, disk: Disk, name: str) -> None:
        self.world = world
        self.disk = disk
        self.process = Process(name)
        self.gateway: SimulatedGateway | None = None
        self.is_up = False
        self._ended = asyncio.Event()
        self._files = disk.files()
        self._stores: list[Store] = []
        self._storages: list[MoobiusStorage] = []
        self._engines: list[JSONDatabase] = []
        self.engine = self._engine_class()

    async def start(self) -> bool:
        """Whether it came up; if not, it was killed, or the disk did not let it."""
        self.world.note("start", self.process.name)
        self.service: ChannelService = self.process.context.run(self._make_service)
        gateway = SimulatedGateway(self.world, self.service, self.process.name)
        self.service.attach(gateway)
        error = await self._do(self.service.start())
        if error is not None:
            self.world.note("no start", type(error).__name__)
            self.world.check(isinstance(error, StorageError | OSError), f"the start failed with {error!r}")
            return False
        if not self.process.is_alive:
            return False
        self.world.invariants.opened(self.service)
        for channel_id in self.service.channel_ids():
            gateway.numbers[channel_id] = self.service.last_number(channel_id)
        self.is_up, self.gateway = True, gateway
        return True

    async def lives(self, seconds: float) -> None:
        """Let it serve for so long, or until it is killed."""
        try:
            await asyncio.wait_for(self._ended.wait(), seconds)
        except TimeoutError:
            return

    async def stop(self) -> None:
        """Stop it as an operator would."""
        self.world.note("stop", self.process.name)
        error = await self._do(self.service.stop())
        self.world.check(error is None, f"stopping failed with {error!r}")
        self.is_up = False
        if self.gateway is not None:
            self.gateway.end()

    def kill(self, *, power_loss: bool) -> None:
        """End it between two instructions; or let the machine stop, which loses what was not synced."""
        if not self.process.is_alive:
            return
        self.world.note("kill", self.process.name, power_loss)
        self.world.kills += 1
        self.is_up = False
        self.process.kill()
        self._files.is_dead = True
        self.disk.stop(power_loss=power_loss)
        self._ended.set()
        if self.gateway is not None:
            self.gateway.end()

    def forget(self) -> None:
        """Let nothing of it happen when the interpreter comes across it later."""
        self._files.is_dead = True
        for storage in self._storages:
            atexit.unregister(storage._close_at_exit)
        for engine in self._engines:
            engine._release.detach()
        for store in self._stores:
            store._ownership.abandon()

    async def _do(self, work: Coroutine[Any, Any, None]) -> BaseException | None:
        """What it raised, None if it ended well or the process before it."""
        task = self.world.loop.create_task(work, context=self.process.context)
        ended = self.world.loop.create_task(self._ended.wait())
        await asyncio.wait((task, ended), return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        if not self.process.is_alive or task.cancelled():
            return None
        return task.exception()

    def _make_service(self) -> ChannelService:
        rng = self.world.random
        environment = Environment(clock=self.world.clock, threads=SimulatedThreads(self.world.loop), is_watched=False)
        config = {
            "channels": self.world.channels,
            "plugins": ["market"],
            "plugin_folders": [str(_PLUGINS)],
            "limits": {"history_length": 100_000, "schedule_tries": 50, "schedule_retry_seconds": 0.5},
            "checkin_interval": rng.choice((0, 5)),
        }
        # The service's own dicts for agents are not looked at; those of the channels are put on the simulated engine.
        db_config = [{"implementation": "null", "name": name} for name in DICTS]
        service = _Service(service_config=config, db_config=db_config, environment=environment)
        service.machine = self
        return service

    def make_storage(self, channel_id: str) -> MoobiusStorage:
        """What the service keeps of one channel."""
        storage = _storage(self, channel_id)
        self._storages.append(storage)
        return storage

    def made(self, engine: JSONDatabase) -> None:
        """An engine was opened."""
        self._engines.append(engine)

    def _engine_class(self) -> type[JSONDatabase]:
        loop, process = self.world.loop, self.process

        class LocalCommitter(SimulatedCommitter[Any]):
            pass

        class LocalCheckpoints(SimulatedCheckpoints):
            pass

        LocalCommitter.loop = LocalCheckpoints.loop = loop
        LocalCommitter.process = LocalCheckpoints.process = process

        def make_store(root: Path, checkpoint_bytes: int) -> Store:
            store = SimulatedStore(root, files=self._files, checkpoint_bytes=checkpoint_bytes, committer=LocalCommitter, checkpoints=LocalCheckpoints)
            self._stores.append(store)
            return store

        class LocalJSONDatabase(JSONDatabase):
            _stores = SharedInstances()
            _make_store = staticmethod(make_store)

        return LocalJSONDatabase


class _Service(ChannelService):
    machine: Machine

    async def on_channel_init(self, channel_id: str) -> None:
        self.channels[channel_id] = await self._threads.run(self.machine.make_storage, channel_id)


def _storage(machine: Machine, channel_id: str) -> MoobiusStorage:
    size = machine.world.random.choice((2_000, 20_000, 4 << 20))
    config = [{"implementation": "json", "name": name, "settings": {"root_dir": str(machine.disk.root), "checkpoint_bytes": size}} for name in DICTS]

    class LocalStorage(MoobiusStorage):
        def _engine(self, entry: DictConfig, name: str) -> DatabaseInterface:
            engine = machine.engine(domain_of(self.service_id, self.channel_id, name), **entry.settings)
            machine.made(engine)
            return engine

    return LocalStorage("1", channel_id, config)
