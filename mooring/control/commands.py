"""Commands for the operator of a service: a table of them, and how one is run.

A command is the same whether it comes over the socket of a running service or is run by `mooring` itself, which opens the store when
no service has it. So its handler is given a `target` that is one or the other.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

from mooring.control.messages import Request, Response
from mooring.errors import CommandError, new_reference
from mooring.text import clip, suggestion
from storage import StorageError

log = logging.getLogger(__name__)

TargetT = TypeVar("TargetT")


@dataclass(frozen=True)
class ControlCommand(Generic[TargetT]):
    """One command."""

    name: str
    arguments: type[msgspec.Struct]
    """Its arguments; what does not fit is refused before the command runs."""
    run: Callable[[TargetT, Any], Awaitable[Any]]
    """Called with the target and an instance of `arguments`. Returns what JSON has; a CommandError is told to whoever asked."""


class CommandTable:
    """The commands that there are, over what they act on."""

    def __init__(self, target: TargetT, commands: Iterable[ControlCommand[TargetT]]) -> None:
        self._commands: dict[str, tuple[Any, ControlCommand[Any]]] = {}
        self.add(target, commands)

    def add(self, target: TargetT, commands: Iterable[ControlCommand[TargetT]]) -> None:
        """More of them, which act on something else."""
        self._commands.update((command.name, (target, command)) for command in commands)

    async def answer(self, request: Request) -> Response:
        """Run a command. Raises nothing but what ends the task."""
        target, command = self._commands.get(request.command, (None, None))
        if command is None:
            hint = suggestion(request.command, self._commands)
            return Response(ok=False, failure="unknown", message=f"There is no command {clip(request.command)!r} here.{hint}")
        try:
            arguments = msgspec.json.decode(request.arguments, type=command.arguments)
        except (msgspec.DecodeError, RecursionError) as error:
            return Response(ok=False, failure="malformed", message=f"The arguments of {command.name} do not fit: {clip(str(error), 300)}")
        try:
            return Response(ok=True, result=await command.run(target, arguments))
        except CommandError as error:
            return Response(ok=False, failure="refused", message=str(error))
        except StorageError as error:
            return Response(ok=False, failure="failed", message=f"Storage did not do it: {error}")
        except Exception:
            # Whatever a handler raises is a fault of ours, and the service goes on.
            reference = new_reference()
            log.exception("the command %s failed (reference %s)", command.name, reference)
            return Response(ok=False, failure="failed", message=f"Something went wrong (reference {reference}); the log of the service tells more.")
