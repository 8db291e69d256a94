"""The life of plugins beside the channels: what `lifespan` yields is there from the start of the service until its end.

As in Starlette, a lifespan is an async context manager: what stands before its `yield` happens before members come in, what
stands after it when they are gone. The hooks `on_start` and `on_stop` are called inside of it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any

from mooring.bots.calling import call
from mooring.bots.context import Service
from mooring.bots.plugin import Plugin
from mooring.clock import Clock, use_clock
from mooring.containment import leave_alone, within
from mooring.errors import HandlerFailed, PluginError, as_exception
from mooring.threads import Threads

log = logging.getLogger(__name__)

Manager = AbstractAsyncContextManager[Any]


class Lifespans:
    """The lifespans that were entered. `states` is filled with what they yield, by the plugins' names.

    Each is entered and left in a task of its own, since both have to happen in the same task (libraries built on cancel scopes
    insist on it), while a plugin may be loaded anew from any. What takes more than `seconds` is given up.
    """

    def __init__(self, states: dict[str, Any], threads: Threads, clock: Clock, seconds: float) -> None:
        self._states = states
        self._threads = threads
        self._clock = clock
        self._seconds = seconds
        self._begun: set[str] = set()
        self._running: dict[str, tuple[asyncio.Task[None], asyncio.Event]] = {}

    async def begin(self, service: Service, plugin: Plugin) -> None:
        """Enter a plugin's lifespan and call its `on_start`. Raises PluginError, whatever they raise; `end` it then, or `drop` it."""
        try:
            await self._enter(service, plugin)
        except Exception as error:
            raise _failed("lifespan", error) from error
        self._begun.add(plugin.name)
        if "on_start" in plugin.hooks:
            try:
                await self._call(service, plugin, "on_start", self._seconds)
            except Exception as error:
                raise _failed("on_start", error) from error

    async def end(self, service: Service, plugin: Plugin, seconds: float) -> None:
        """Call a plugin's `on_stop` and leave its lifespan, if it has begun, each within so many seconds; what fails is logged."""
        if plugin.name not in self._begun:
            return
        if "on_stop" in plugin.hooks:
            await _logged(f"on_stop of {plugin.name}", self._call(service, plugin, "on_stop", seconds))
        await self.drop(plugin.name, seconds)

    async def drop(self, name: str, seconds: float) -> None:
        """Leave the lifespan of a plugin without any other word."""
        self._begun.discard(name)
        if name in self._running:
            await _logged(f"lifespan of {name}", self._leave(name, seconds))

    async def _call(self, service: Service, plugin: Plugin, hook: str, seconds: float) -> None:
        async def work() -> None:
            with use_clock(self._clock, plugin.name):
                await call(self._threads, plugin.hooks[hook], service, plugin.config, name=f"{plugin.name}: {hook}")

        await within(seconds, work(), f"{hook} of {plugin.name}")

    async def _enter(self, service: Service, plugin: Plugin) -> None:
        if plugin.lifespan is None:
            return
        entered: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        leaving = asyncio.Event()
        name = f"lifespan of {plugin.name}"
        task = asyncio.create_task(self._live(plugin, service, entered, leaving), name=name)
        try:
            self._states[plugin.name] = await within(self._seconds, _result(entered), name)
        except BaseException:
            entered.cancel()
            task.cancel()
            await asyncio.wait([task], timeout=1.0)
            if not task.done():
                leave_alone(task)
            raise
        self._running[plugin.name] = (task, leaving)

    async def _leave(self, name: str, seconds: float) -> None:
        task, leaving = self._running.pop(name)
        leaving.set()
        try:
            await within(seconds, _result(task), f"lifespan of {name}")
        finally:
            if not task.done():
                task.cancel()
                leave_alone(task)
            self._states.pop(name, None)

    async def _live(self, plugin: Plugin, service: Service, entered: asyncio.Future[Any], leaving: asyncio.Event) -> None:
        with use_clock(self._clock, plugin.name):
            try:
                lifespan: Callable[..., Manager] | None = plugin.lifespan
                manager = lifespan(service, plugin.config) if lifespan is not None else None
                if not isinstance(manager, AbstractAsyncContextManager):
                    raise PluginError("lifespan returns no async context manager; decorate it with contextlib.asynccontextmanager")
                state = await manager.__aenter__()
            except BaseException as error:  # noqa: BLE001 - it is the one who waits that has to hear of it, whatever it is
                if not entered.done():
                    entered.set_exception(as_exception(error))
                return
            if entered.done():  # it took too long, and swallowed that it was cancelled
                return
            entered.set_result(state)
            try:
                await leaving.wait()
            finally:
                try:
                    await manager.__aexit__(None, None, None)
                except asyncio.CancelledError:
                    raise
                except BaseException as error:  # noqa: BLE001 - SystemExit in a task would end the event loop
                    raise as_exception(error)  # noqa: B904 - it is the error itself, or names it as its cause


def _failed(where: str, error: Exception) -> PluginError:
    shown = str(error) if isinstance(error, PluginError | HandlerFailed) else f"{type(error).__name__}: {error}"
    return PluginError(f"{where} failed: {shown}")


async def _result(waited_for: asyncio.Future[Any]) -> Any:
    return await asyncio.shield(waited_for)


async def _logged(what: str, work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except Exception:
        log.exception("%s failed", what)
