"""The life of a bot in a test: its service, its clock, and what it has to live through."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from mooring.bots.discovery import module_name
from mooring.bots.loading import load_plugins
from mooring.config import PluginEntry
from mooring.durations import parse_duration
from mooring.events import Down
from mooring.testing.crash import Crash, Crashed, When
from mooring.testing.engines import EngineUnderTest

if TYPE_CHECKING:
    from mooring.service.service import ChannelService

T = TypeVar("T")

_BEGINNING = 1_800_000_000.0
_NO_END = 10_000
"""So many timers in one `advance` mean that one of them schedules itself without any time in between."""


@dataclass
class RecordingGateway:
    """A gateway that remembers what it is given."""

    address: str = ""
    kinds: None = None
    heard: list[Down] = field(default_factory=list)

    def deliver(self, channel_id: str, downs: Sequence[Down]) -> None:
        self.heard.extend(downs)

    def stop_accepting(self) -> None:
        pass


class Life:
    """A service that a test can stop, start, kill and move through time."""

    def __init__(
        self,
        plugins: Sequence[str],
        engine: EngineUnderTest,
        folder: Path,
        *,
        channels: Sequence[str],
        dicts: Sequence[str],
        config: Mapping[str, Mapping[str, Any]],
        folders: Sequence[str | Path],
        limits: Mapping[str, int] | None = None,
    ) -> None:
        self.folder = folder
        self.time = _BEGINNING
        """The clock of the bot, in seconds; it stands still unless the test moves it."""
        files = [Path(name) for name in plugins if name.endswith(".py")]
        names = [Path(name).stem if name.endswith(".py") else name for name in plugins]
        plugin_folders = [str(place) for place in (*folders, *dict.fromkeys(file.parent for file in files))]
        entries = [{"name": name, "config": dict(config.get(name, {}))} for name in dict.fromkeys(["help", *names])]
        bars = load_plugins([PluginEntry.model_validate(entry) for entry in entries], plugin_folders).bars
        self._dicts = [*dict.fromkeys([*dicts, *(spec.dict for spec in bars)]), "*"]
        self._names = names
        self._service_config: dict[str, Any] = {
            "service_id": engine.service_id(),
            "channels": list(channels),
            "plugins": entries,
            "plugin_folders": plugin_folders,
            # The loop stands still between two calls of the test, which is no blocking.
            "limits": {"blocking_seconds": 3600, **dict(limits or {})},
        }
        self._engine = engine
        self._data = folder / "data"
        self._is_up = False
        self._gateway = RecordingGateway()
        self._data.mkdir(parents=True, exist_ok=True)
        self.start()

    @property
    def service(self) -> ChannelService:
        """The service itself."""
        return self._service

    def advance(self, span: str | timedelta) -> None:
        """Let time go by (`"10m"`); what comes due in between happens at its time."""
        goal = self.time + (parse_duration(span) if isinstance(span, str) else span).total_seconds()
        timers = self._service.timers

        async def next_due() -> float | None:
            return timers.next_due()  # which asks the event loop for its time

        for _ in range(_NO_END):
            due = self._run(next_due())
            if due is None or due > goal:
                break
            self.time = max(self.time, due)
            self._run(timers.run_due())
        else:
            raise RuntimeError(f"more than {_NO_END} timers came due within {span}")
        self.time = goal
        self.settle()

    def settle(self) -> None:
        """Wait until the work in the background has ended."""
        self._run(self._service.settle())

    def restart(self) -> None:
        """Stop the service as an operator would, and start it again; the code of plugins in files is read anew."""
        self.close()
        for name in self._names:
            sys.modules.pop(module_name(name), None)
        self.start()

    def crash_at(self, commit: int, when: When = "before") -> None:
        """Let the process die at the `commit`-th commit from now: before it is written, or after it and before anybody is told.

        What the test does then raises Crashed, and the bot goes on from what was on disk.
        """
        self._crash.arm(commit, when)

    def start(self) -> None:
        """Start the service; needed only after a start that failed."""
        from mooring.service.service import ChannelService  # the kit tests plugins, which the service loads

        self._runner = asyncio.Runner()
        db_config = self._engine.entries(self._dicts, self._data)
        self._gateway = RecordingGateway()

        async def start() -> ChannelService:
            service = ChannelService(service_config=self._service_config, db_config=db_config, clock=lambda: self.time)
            service.attach(self._gateway)
            await service.start()
            return service

        try:
            self._service = self._runner.run(start())
        except BaseException:
            self._runner.close()
            raise
        self._is_up = True
        self._crash = Crash(self._take_image)
        for storage in self._service.channels.values():
            self._crash.watch({id(state.engine): state.engine for state in storage._states}.values())

    def close(self) -> None:
        """Stop the service. The fixtures do it at the end of the test."""
        if self._is_up:
            self._is_up = False
            self._run(self._service.stop())
            self._runner.close()

    # --------------------------------------------------------------------------------------------------------------------

    def _take_image(self) -> None:
        self._image = self._engine.image(self._data)

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        async def watched() -> T:
            task = asyncio.ensure_future(work)
            crash = asyncio.ensure_future(self._crash.happened.wait())
            await asyncio.wait([task, crash], return_when=asyncio.FIRST_COMPLETED)
            if crash.done():
                task.cancel()
                raise Crashed
            crash.cancel()
            return await task

        try:
            return self._runner.run(watched())
        except Crashed:
            self._rise_again()
            raise

    def _rise_again(self) -> None:
        """Leave the dead service behind without letting it write, and start another over what it left."""
        self._crash.thaw()
        self._runner.close()
        asyncio.run(self._service.abandon())
        self._data = self._image
        self.start()
