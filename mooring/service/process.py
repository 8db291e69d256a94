"""A service as a process of its own: until it is told to stop."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import platform
import signal
import threading
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from mooring.config import parse_service
from mooring.control.commands import CommandTable
from mooring.control.server import listening
from mooring.service.backup_commands import BACKUP_COMMANDS
from mooring.service.backup_places import Places
from mooring.service.channel_commands import CHANNEL_COMMANDS
from mooring.service.console_commands import CONSOLE_COMMANDS
from mooring.service.member_commands import MEMBER_COMMANDS, LiveMembers
from mooring.service.reconfiguring import RELOAD_COMMANDS
from mooring.service.service import ChannelService
from mooring.service.status import STATUS_COMMANDS
from mooring.service.store_commands import STORE_COMMANDS, LiveStores
from mooring.service.undo_commands import UNDO_COMMANDS, LiveUndoing
from mooring.version import __version__
from storage.data_places import data_places

log = logging.getLogger(__name__)

_COLLECTED_AFTER = 10_000
"""New objects after which the collector of cyclic garbage looks for some."""

_LAST_MOMENT = 0.2
"""Seconds for tasks that nobody has ended."""


def run_process(service: ChannelService, say: Callable[[str], object], when_up: Callable[[], object] = lambda: None) -> None:
    """Run the service until SIGINT, SIGTERM or `ask_to_stop`. `say` gets the line that tells where it is."""
    with asyncio.Runner(loop_factory=_fastest_loop()) as runner:
        loop = runner.get_loop()
        life = loop.create_task(_live(service, say, when_up), name="service")
        while not life.done():
            try:
                loop.run_until_complete(life)
            except (SystemExit, KeyboardInterrupt):
                # What plugins hand to call_soon, call_later and add_done_callback is called by the loop itself, and these two end it.
                if life.done() or signal.getsignal(signal.SIGINT) is signal.default_int_handler:
                    raise
                log.exception("a callback on the event loop tried to end the process, which goes on")
        life.result()


def _fastest_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's, where it is installed (the extra `fast`); else asyncio's own."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


async def _live(service: ChannelService, say: Callable[[str], object], when_up: Callable[[], object]) -> None:
    # Before anything is opened, which would make what is not there yet.
    places = await asyncio.to_thread(data_places, service.config["db_config"])
    shown = ", ".join(map(str, places)) or "nowhere: no dict is kept"
    log.info("Mooring %s on Python %s, in %s; data is in %s", __version__, platform.python_version(), Path.cwd(), shown)

    def read_places() -> Places:
        return Places(parse_service(service.config["service_config"], ""), service.config["db_config"])

    async def announce() -> None:
        # Not before the service is up: another process that cannot start, as this one has the store, must not be found in its place.
        commands = CommandTable(service, CHANNEL_COMMANDS)
        commands.add(LiveMembers(service), MEMBER_COMMANDS)
        commands.add(LiveStores(service), STORE_COMMANDS)
        commands.add(service, STATUS_COMMANDS)
        commands.add(service, RELOAD_COMMANDS)
        commands.add(read_places, BACKUP_COMMANDS)
        commands.add(LiveUndoing(service, tuple(read_places().folders)), UNDO_COMMANDS)
        commands.add(service, CONSOLE_COMMANDS)
        await doors.enter_async_context(listening(service.data_dir, service.service_id, commands))
        addresses = service.addresses()
        place = f"is at {' and '.join(addresses)}" if addresses else "is up; no plugin of it listens for members"
        # What is loaded by now stays. Looking through it again and again made the longest pauses of all channels, of 0.1 s and more.
        gc.collect()
        gc.freeze()
        # An event makes some hundred objects, and most are gone when it is over. Looked through after every 700, as it is by default, what
        # is on its way is taken for old, and the walks through all that is old come too often: the slowest answers took twice as long.
        gc.set_threshold(_COLLECTED_AFTER, 10, 10)
        say(f"Mooring {place}")
        when_up()

    async with AsyncExitStack() as doors:
        await service.run(announce)
    # Whatever plugins have left is ended with the process, and not waited for as asyncio and Python would.
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    left = (await asyncio.wait(tasks, timeout=_LAST_MOMENT))[1] if tasks else set()
    threads = [each for each in threading.enumerate() if each is not threading.main_thread() and not each.daemon]
    if left or threads:
        names = ", ".join([*(task.get_name() for task in left), *(each.name for each in threads)])
        log.warning("%s does not end; everything is stored and closed, so the process ends without it", names)
        logging.shutdown()
        os._exit(0)
