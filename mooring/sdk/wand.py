"""`MoobiusWand`: starts the services of bots, in this process or beside it, and hands them objects."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from typing import Any, ClassVar

from mooring.errors import PluginError
from mooring.sdk.moobius import Moobius
from mooring.sdk.service_process import ServiceProcess
from mooring.sdk.surface import WAND, HasSurface, NotSupported, Surface
from mooring.service.process import run_process
from storage.errors import ConfigError, StorageError

log = logging.getLogger(__name__)

_PORT = 8765
_STOP_SECONDS = 15.0
"""How long a service may take to stop before it is killed: its `stop_timeout`, and something for the rest."""

_FORMER = {"config_path": "service_config", "db_config_path": "db_config"}
_OF_THE_LOG = ("terminal_log_level", "log_file", "log_level", "error_log_file", "error_log_level")


class MoobiusWand(HasSurface):
    """Starts services. `MoobiusWand().run(MyBot, config="config/config.json")` is the last line of a bot."""

    surface: ClassVar[Surface] = WAND

    def __init__(self) -> None:
        self.services: dict[int, ServiceProcess] = {}
        """The services in the background, by their handles."""
        self.processes: dict[int, BaseProcess] = {}
        self.current_service_handle = 0

    def run(self, cls: type[Moobius], background: bool = False, **kwargs: Any) -> int | None:
        """Make a service of this class, with these configs, and run it until it is stopped: by Ctrl-C, or by SIGTERM.

        In the `background` it runs in a process of its own; this returns its handle when it is up, or has failed to start, which the log
        tells. In the foreground what keeps it from starting is told in a line, and ends the program.

        Without a list of plugins in its config the service has the page, on the port that MOORING_PORT names or 8765. Further services in
        the background have the ports after that.
        """
        configs = _with_present_names(kwargs)
        if not background:
            run_service(cls, configs, _page(0), _nothing, _nothing)
            return None
        handle = self.current_service_handle + 1
        service = ServiceProcess(run_service, cls, configs, _page(handle - 1), f"{cls.__name__}<handle={handle}>")
        self.current_service_handle = handle
        self.services[handle], self.processes[handle] = service, service.process
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, lambda *_: self.stop_all(force_exit=True))
        service.wait_until_up()
        return handle

    def spell(self, handle: int, obj: Any) -> None:
        """Hand an object, which is pickled, to `on_spell` of a service in the background. What keeps it from arriving is logged."""
        service = self.services.get(handle)
        if service is None:
            log.error("there is no service with the handle %r; there are %s", handle, ", ".join(map(str, self.services)) or "none")
        else:
            service.cast(obj)

    async def aspell(self, handle: int, obj: Any) -> None:
        """The same without blocking the event loop."""
        await asyncio.to_thread(self.spell, handle, obj)

    def stop_all(self, force_exit: bool = False) -> None:
        """Stop all services in the background: each finishes what it has in hand. With `force_exit` end this process as well."""
        for service in self.services.values():
            service.ask_to_stop()
        for service in self.services.values():
            service.wait_until_stopped(_STOP_SECONDS)
        self.services.clear()
        self.processes.clear()
        if force_exit:
            logging.shutdown()
            sys.stdout.flush()
            os._exit(1)  # wherever the program is just now, the end of the interpreter included

    def __repr__(self) -> str:
        return f"MoobiusWand(services={list(self.services)})"


def run_service(
    cls: type[Moobius],
    configs: dict[str, Any],
    page: dict[str, Any],
    when_up: Callable[[Moobius], object],
    on_failure: Callable[[str], object],
) -> None:
    """Run a service in this process. Raises SystemExit, with a line that says why, if it does not start."""
    try:
        service = cls(**configs)
        service.set_up_logging()
        service.open_page_by_default(**page)
        run_process(service, _say, lambda: when_up(service))
    except (ConfigError, StorageError, PluginError, OSError) as error:
        log.debug("the start failed", exc_info=True)
        text = f"{cls.__name__} did not start: {error}"
        on_failure(text)
        raise SystemExit(text) from error


def _nothing(_: object) -> None: ...


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _page(before: int) -> dict[str, Any]:
    """The config of the page for a service before which the wand has started others."""
    port = int(os.environ.get("MOORING_PORT") or _PORT)
    page: dict[str, Any] = {"port": port + before if port else 0}
    if os.environ.get("MOORING_HOST"):
        page["host"] = os.environ["MOORING_HOST"]
    folder = os.environ.get("MOORING_DATA_DIR") or "data/gateway"
    return {**page, "data_dir": f"{folder}_{before + 1}" if before else folder}


def _with_present_names(kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a service, from those that the wand's documentation still shows as well."""
    if kwargs.get("is_agent"):
        raise NotSupported("is_agent is not there: a bot that acts as a member has no place here; members come in by the page and other gateways")
    configs = {_FORMER.get(name, name): value for name, value in kwargs.items() if name not in _OF_THE_LOG and name != "is_agent"}
    given = {name: kwargs[name] for name in _OF_THE_LOG if name in kwargs}
    return {**configs, "log_config": {**given, **(configs.get("log_config") or {})}} if given else configs
