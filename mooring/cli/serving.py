"""`mooring run`: the options of the service, the one line when it is up, and what kept it from starting."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mooring.cli.options import CONFIG, DB_CONFIG, FAILED, FAULTY_CONFIG, ConfigFile, DbConfigFile, fault
from mooring.errors import PluginError
from mooring.service.process import run_process
from storage.errors import ConfigError, StorageError

if TYPE_CHECKING:
    from mooring.service.service import ChannelService

log = logging.getLogger(__name__)


def add_run(app: typer.Typer, make_service: Callable[..., ChannelService]) -> None:
    """Let the command line run the service."""

    @app.command()
    def run(  # noqa: PLR0917 - typer reads the options from the arguments
        config: ConfigFile = CONFIG,
        db_config: DbConfigFile = DB_CONFIG,
        host: Annotated[str | None, typer.Option(envvar="MOORING_HOST", help="The address on which the page is served.")] = None,
        port: Annotated[int | None, typer.Option(envvar="MOORING_PORT", help="Its port; 0 takes a free one.")] = None,
        data_dir: Annotated[Path | None, typer.Option(envvar="MOORING_DATA_DIR", help="Where the gateway keeps its signing key and tokens.")] = None,
        allow_open: Annotated[
            bool | None, typer.Option("--allow-open", envvar="MOORING_ALLOW_OPEN", help="Let strangers from the network into open channels.")
        ] = None,
        log_level: Annotated[str, typer.Option(envvar="MOORING_LOG_LEVEL", help="DEBUG, INFO, WARNING or ERROR.")] = "INFO",
    ) -> None:
        """Host the channels, and run commands and plugins in them, until Ctrl-C or SIGTERM."""
        gateway = {"host": host, "port": port, "data_dir": data_dir, "allow_open": allow_open}
        given = {name: value for name, value in gateway.items() if value is not None}
        try:
            log_config = {"terminal_log_level": log_level}
            service = make_service(service_config=config, db_config=db_config, log_config=log_config, plugin_config={"web": given})
        except ConfigError as error:
            raise fault(str(error), FAULTY_CONFIG) from error
        service.set_up_logging()
        _serve(service)


def _serve(service: ChannelService) -> None:
    try:
        run_process(service, typer.echo)
    except ConfigError as error:
        raise fault(str(error), FAULTY_CONFIG) from error
    except (StorageError, PluginError, OSError) as error:
        log.debug("the start failed", exc_info=True)
        raise fault(f"Mooring did not start: {error}", FAILED) from error
