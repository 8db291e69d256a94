"""The life of plugins beside the channels: what `lifespan` yields is there from the start of the service until its end.

As in Starlette, a lifespan is an async context manager: what stands before its `yield` happens before members come in, what
stands after it when they are gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from mooring.bots.context import Service
from mooring.bots.loading import Plugin
from mooring.errors import PluginError

Manager = AbstractAsyncContextManager[Any]


class Lifespans:
    """The lifespans that were entered. `states` is filled with what they yield, by the plugins' names.

    Each is entered and left in a task of its own, since both have to happen in the same task (libraries built on cancel scopes
    insist on it), while a plugin may be loaded anew from any.
    """

    def __init__(self, states: dict[str, Any]) -> None:
        self._states = states
        self._running: dict[str, tuple[asyncio.Task[None], asyncio.Event]] = {}

    async def enter(self, service: Service, plugin: Plugin) -> None:
        """Begin a plugin's lifespan, if it has one. Raises what it raises."""
        if plugin.lifespan is None:
            return
        entered: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        leaving = asyncio.Event()
        task = asyncio.create_task(_live(plugin.lifespan, (service, plugin.config), entered, leaving), name=f"lifespan of {plugin.name}")
        try:
            self._states[plugin.name] = await entered
        except BaseException:
            task.cancel()
            await asyncio.wait([task])
            raise
        self._running[plugin.name] = (task, leaving)

    async def leave(self, name: str) -> None:
        """End a plugin's lifespan, if it was entered. Raises what it raises."""
        if name in self._running:
            task, leaving = self._running.pop(name)
            leaving.set()
            try:
                await task
            finally:
                self._states.pop(name, None)


def _as_fault(error: BaseException) -> PluginError:
    """What would end the process (SystemExit, KeyboardInterrupt) is a plugin's fault like any other."""
    fault = PluginError(f"its lifespan raised {type(error).__name__}: {error}")
    fault.__cause__ = error
    return fault


async def _live(lifespan: Callable[..., Manager], arguments: tuple[Any, ...], entered: asyncio.Future[Any], leaving: asyncio.Event) -> None:
    try:
        manager = lifespan(*arguments)
        if not isinstance(manager, AbstractAsyncContextManager):
            raise PluginError("lifespan returns no async context manager; decorate it with contextlib.asynccontextmanager")
        state = await manager.__aenter__()
    except BaseException as error:  # noqa: BLE001 - it is the one who waits that has to hear of it, whatever it is
        if not entered.done():
            entered.set_exception(error if isinstance(error, Exception) else _as_fault(error))
        return
    entered.set_result(state)
    try:
        await leaving.wait()
    finally:
        await manager.__aexit__(None, None, None)
