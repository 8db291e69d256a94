"""One process that serves the channels, from its start to its end, which may come at any moment."""

from __future__ import annotations

import asyncio
import atexit
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mooring import ChannelService, MoobiusStorage
from mooring.environment import Environment
from storage.errors import StorageError
from tests.simulation.loop import Process
from tests.simulation.members import SimulatedGateway
from tests.simulation.plugins.market import DICTS
from tests.simulation.sites import SERVICE_ID, Site, make_storage
from tests.simulation.threads import SimulatedThreads

if TYPE_CHECKING:
    from tests.simulation.world import World

_PLUGINS = Path(__file__).with_name("plugins")


class Machine:
    """A service, what it keeps its data in, and the gateway that leads to it."""

    def __init__(self, world: World, name: str, site: Callable[[Process], Site]) -> None:
        self.world = world
        self.process = Process(name)
        self.site = site(self.process)
        self.gateway: SimulatedGateway | None = None
        self.is_up = False
        self._ended = asyncio.Event()
        self._storages: list[MoobiusStorage] = []
        world.machines.append(self)

    async def start(self) -> bool:
        """Whether it came up; if not, it was killed, or the disk did not let it."""
        self.world.note("start", self.process.name)
        self.service: ChannelService = self.process.context.run(self._make_service)
        gateway = SimulatedGateway(self.world, self.service, self.process.name, self.site)
        self.service.attach(gateway)
        error = await self._do(self.service.start())
        if error is not None:
            self.world.note("no start", type(error).__name__)
            self.world.check(isinstance(error, StorageError | OSError), f"the start failed with {error!r}")
            return False
        if not self.process.is_alive:
            return False
        self.world.invariants.opened(self)
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
        self.site.die(power_loss=power_loss)
        self._ended.set()
        if self.gateway is not None:
            self.gateway.end()

    def forget(self) -> None:
        """Let nothing of it happen when the interpreter comes across it later."""
        for storage in self._storages:
            atexit.unregister(storage._close_at_exit)
        self.site.forget()

    def make_storage(self, channel_id: str) -> MoobiusStorage:
        """What the service keeps of one channel."""
        return make_storage(self.site, channel_id, self._storages)

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
        world = self.world
        environment = Environment(clock=world.clock, random=world.random, threads=SimulatedThreads(world.loop), is_watched=False)
        config = {
            "service_id": SERVICE_ID,
            "channels": world.channels,
            "plugins": ["market"],
            "plugin_folders": [str(_PLUGINS)],
            "limits": {"history_length": 100_000, "schedule_tries": 50, "schedule_retry_seconds": 0.5},
            "checkin_interval": world.random.choice((0, 5)),
        }
        # The service's own dicts for agents are not looked at; those of the channels are put on simulated engines.
        db_config = [{"implementation": "null", "name": name} for name in DICTS]
        service = _Service(service_config=config, db_config=db_config, environment=environment)
        service.machine = self
        return service


class _Service(ChannelService):
    machine: Machine

    async def on_channel_init(self, channel_id: str) -> None:
        self.channels[channel_id] = await self._threads.run(self.machine.make_storage, channel_id)
