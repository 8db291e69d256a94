"""A service in a process beside this one, and the pipe between the two: objects go there, and one answer comes back when it is up."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection, wait
from typing import Any, Protocol

log = logging.getLogger(__name__)


class Casting(Protocol):
    """As much of a service as is used here."""

    async def cast(self, obj: Any) -> None: ...

    def spawn(self, work: Any, *, name: str, endless: bool = False) -> object: ...


class Run(Protocol):
    """Runs a service until its end."""

    def __call__(
        self,
        cls: Any,
        configs: dict[str, Any],
        page: dict[str, Any],
        when_up: Callable[[Casting], object],
        on_failure: Callable[[str], object],
    ) -> None: ...


class ServiceProcess:
    """The process as the one that started it sees it."""

    def __init__(self, run: Run, cls: type[Any], configs: dict[str, Any], page: dict[str, Any], name: str) -> None:
        self._pipe, far = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=_live, args=(far, run, cls, configs, page), name=name)
        self.process.start()
        far.close()

    def wait_until_up(self) -> None:
        """Until the service is up, or has ended, which the log tells."""
        wait([self._pipe, self.process.sentinel])
        try:
            problem = self._pipe.recv() if self._pipe.poll() else "it ended before it was up"
        except EOFError:
            problem = "it ended before it was up"
        if problem:
            log.error("%s: %s", self.process.name, problem)

    def cast(self, obj: Any) -> None:
        """Hand over an object; what keeps it from arriving is logged."""
        try:
            self._pipe.send(obj)
        except OSError as error:
            log.error("%s takes no spells any more: %s", self.process.name, error)  # noqa: TRY400 - there is no fault of ours to trace
        except Exception:  # whatever the object's own pickling raises
            log.exception("a spell of type %s could not be sent to %s", type(obj).__name__, self.process.name)

    def ask_to_stop(self) -> None:
        """Let it finish what it has in hand."""
        self.process.terminate()

    def wait_until_stopped(self, seconds: float) -> None:
        """Until it has ended; after that time it is killed."""
        self.process.join(seconds)
        if self.process.is_alive():
            log.warning("%s did not stop in %.0f s and is killed", self.process.name, seconds)
            self.process.kill()
            self.process.join()
        self._pipe.close()


def _live(pipe: Connection, run: Run, cls: type[Any], configs: dict[str, Any], page: dict[str, Any]) -> None:
    """What runs in the other process."""
    with suppress(AttributeError, OSError):
        # Ctrl-C in the terminal is for the first process, which passes it on. Twice would end this one in the middle of its stop.
        os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    run(cls, configs, page, partial(_begin, pipe), pipe.send)


def _begin(pipe: Connection, service: Casting) -> None:
    loop = asyncio.get_running_loop()
    spells: asyncio.Queue[Any] = asyncio.Queue()

    def receive() -> None:
        while True:
            try:
                obj = pipe.recv()
            except (EOFError, OSError):
                return  # the first process has ended
            except Exception:  # whatever the object's own unpickling raises
                log.exception("a spell could not be read")
                continue
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(spells.put_nowait, obj)

    threading.Thread(target=receive, name="mooring-spells", daemon=True).start()
    service.spawn(partial(_cast_all, service, spells), name="spells", endless=True)
    pipe.send("")


async def _cast_all(service: Casting, spells: asyncio.Queue[Any]) -> None:
    """One after the other, as they came."""
    while True:
        obj = await spells.get()
        try:
            await service.cast(obj)
        except Exception:  # a bot's hook may raise anything, and the next spell has nothing to do with it
            log.exception("on_spell failed at a spell of type %s", type(obj).__name__)
