"""What happens to the processes of a run, while its members go about their business."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from tests.simulation.disk import Disk
from tests.simulation.loop import Process
from tests.simulation.machine import Machine
from tests.simulation.shared_engine import SharedServer
from tests.simulation.sites import DiskSite, SharedSite, Site

if TYPE_CHECKING:
    from tests.simulation.world import World

_MOST_SECONDS = 4000.0
"""Of simulated time; what is not over by then never will be."""

_QUIET_SECONDS = 500.0
"""In which everything comes due that was planned."""


async def alone(world: World) -> None:
    """One process at a time, over a disk that fails."""
    rng, disk = world.random, world.disk
    for life in range(rng.randint(1, 4)):
        machine = Machine(world, f"life {life + 1}", partial(_on_disk, world, disk))
        disk.fault_rate = rng.choice((0.0, 0.0, 0.01, 0.05, 0.2))
        disk.kill_rate = rng.choice((0.0, 0.002, 0.01, 0.05))
        disk.kill = partial(_stop_machine, machine)
        if await machine.start():
            await machine.lives(rng.expovariate(1 / rng.choice((0.1, 0.5, 2.0, 10.0))))
            if machine.is_up and rng.random() < 0.3:
                disk.fault_rate = rng.choice((0.0, disk.fault_rate))
                await machine.stop()
        _stop_machine(machine)
        world.look()
        await asyncio.sleep(rng.choice((0.0, 0.1, 1.0)))
    disk.fault_rate = disk.kill_rate = 0.0
    await _end_well(world, [Machine(world, "last life", partial(_on_disk, world, disk))], partial(_on_disk, world, disk))


async def together(world: World) -> None:
    """Two processes on one server, each of which is killed and started again."""
    rng, server = world.random, SharedServer(world)
    site = partial(_on_server, server)
    outages = asyncio.ensure_future(_fail_now_and_then(world, server))
    await asyncio.gather(*(_some_lives(world, site, name) for name in ("a", "b")))
    outages.cancel()
    server.is_away = False
    world.note("quiet", rng.random())
    await _end_well(world, [Machine(world, f"{name}, last life", site) for name in ("a", "b")], site)


async def _some_lives(world: World, site: Callable[[Process], Site], name: str) -> None:
    rng = world.random
    for life in range(rng.randint(1, 3)):
        machine = Machine(world, f"{name}, life {life + 1}", site)
        if await machine.start():
            await machine.lives(rng.expovariate(1 / rng.choice((0.5, 2.0, 10.0))))
            if rng.random() < 0.3:
                await machine.stop()
        machine.kill(power_loss=False)
        world.look()
        await asyncio.sleep(rng.choice((0.0, 0.1, 1.0)))


async def _fail_now_and_then(world: World, server: SharedServer) -> None:
    while True:
        await asyncio.sleep(world.random.expovariate(1 / world.random.choice((1.0, 5.0))))
        server.is_away = True
        await asyncio.sleep(world.random.expovariate(1 / world.random.choice((0.05, 0.5))))
        server.is_away = False


async def _end_well(world: World, machines: list[Machine], site: Callable[[Process], Site]) -> None:
    """Nothing fails any more: all that was asked for comes to its end, and is there when somebody looks again."""
    world.network.cut_rate = world.network.loss_rate = 0.0
    for machine in machines:
        world.check(await machine.start(), "the service does not start where nothing fails")
    while not all(client.is_done for client in world.clients):
        world.look()
        if world.loop.now > _MOST_SECONDS:
            world.check(False, "members wait for answers that never come")
        await asyncio.sleep(1.0)
    await asyncio.sleep(_QUIET_SECONDS)
    for machine in machines:
        world.invariants.finished(machine)
    world.look()
    for machine in machines:
        await machine.stop()
    again = Machine(world, "look back", site)
    world.check(await again.start(), "the service does not start again")
    world.look()
    world.invariants.finished(again)
    await again.stop()
    world.look()


def _on_disk(world: World, disk: Disk, process: Process) -> Site:
    return DiskSite(world, disk, process)


def _on_server(server: SharedServer, process: Process) -> Site:
    return SharedSite(server, process)


def _stop_machine(machine: Machine) -> None:
    machine.kill(power_loss=machine.world.random.random() < 0.7)
