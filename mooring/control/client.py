"""Asking a running service, from another process of the same user."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from mooring.control.messages import MOST_BYTES, Request, Response, decode_response, encode
from mooring.control.places import forget, sockets_of

_CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 600.0
"""A channel that is closed finishes first what its members have sent."""


class NoAnswer(Exception):
    """A service runs and did not answer; the text says which. Whether it did what was asked is not known."""


def ask(data_dir: Path, service_id: str, command: str, arguments: Mapping[str, Any], patience: float = ANSWER_SECONDS) -> Response | None:
    """The answer of a running process of the service, within so many seconds; None if none runs. What dead ones left is taken away.

    Raises NoAnswer.
    """
    return next(ask_each(data_dir, service_id, command, arguments, patience), None)


def ask_each(data_dir: Path, service_id: str, command: str, arguments: Mapping[str, Any], patience: float = ANSWER_SECONDS) -> Iterator[Response]:
    """The same of every process of the service that runs on this machine, one after the other."""
    for path, entry in sockets_of(data_dir, service_id):
        connection = _connected(path, entry)
        if connection is not None:
            with connection:
                yield _asked(connection, path, command, arguments, patience)


def _connected(path: Path, entry: Path) -> socket.socket | None:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(_CONNECT_SECONDS)
    try:
        connection.connect(str(path))
    except (ConnectionRefusedError, FileNotFoundError):
        connection.close()
        forget(entry)
        return None
    except OSError as error:
        connection.close()
        raise NoAnswer(f"The service behind {path} cannot be reached: {error}") from error
    return connection


def _asked(connection: socket.socket, path: Path, command: str, arguments: Mapping[str, Any], patience: float) -> Response:
    connection.settimeout(patience)
    try:
        connection.sendall(encode(Request(command, msgspec.Raw(msgspec.json.encode(arguments)))))
        with connection.makefile("rb") as answers:
            line = answers.readline(MOST_BYTES * 10)
        return decode_response(line)
    except (OSError, msgspec.DecodeError) as error:
        what = f"The service behind {path} was asked and did not answer ({error})"
        raise NoAnswer(f"{what}; whether it was done is not known. Look and try again.") from error
