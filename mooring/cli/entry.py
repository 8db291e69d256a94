"""Where a service of one's own gets its command line from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def run_command_line(make_service: Callable[..., Any]) -> None:
    """Read `sys.argv` and run the service, or the command that it names; never returns.

    `make_service` is a subclass of ChannelService, or a function that takes its arguments.
    """
    from mooring.cli.main import build_app  # here, so that bots and tests that run no command line do not wait for typer

    build_app(make_service)()
