"""Commands of the operator that are asked of the running service or, if none runs, carried out in its store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from mooring.cli.options import FAILED, FAULTY_CONFIG, fault
from mooring.config import ServiceConfig, parse_service
from mooring.control.client import ANSWER_SECONDS, NoAnswer, ask, ask_each
from mooring.control.messages import Response
from mooring.environment_settings import with_environment
from storage.db_config import read_config
from storage.errors import ConfigError, StorageError
from storage.json_config import expect_object, read_json
from storage.moobius_storage import TAKEN_NAMES

InTheStore = Callable[[ServiceConfig, list[dict[str, Any]], str, Mapping[str, Any]], Response]
"""Carries out a command with its arguments where no service runs, given the service's config and the entries of the db config."""


def ask_running(command: str, arguments: Mapping[str, Any], config: Path, *, at_most: int | None = None) -> list[Any]:
    """The result of a command of each process of the service here, or of `at_most` so many; none if no service runs.

    Exits with a message if one has no result.
    """
    try:
        service = read_service(config)
        responses = list(islice(ask_each(Path(service.data_dir), service.service_id, command, arguments), at_most))
    except ConfigError as error:
        raise fault(str(error), FAULTY_CONFIG) from error
    except (NoAnswer, OSError) as error:
        raise fault(str(error), FAILED) from error
    for response in responses:
        if not response.ok:
            raise fault(response.message, FAILED)
    return [response.result for response in responses]


def operate(
    command: str,
    arguments: Mapping[str, Any],
    config: Path,
    db_config: Path,
    in_the_store: InTheStore,
    *,
    refused: Any = None,
    patience: float = ANSWER_SECONDS,
) -> Any:
    """The result of a command. Exits with a message if there is none, unless `refused` is what then counts for one that was turned down.

    A running service is waited for `patience` seconds.
    """
    try:
        service = read_service(config)
        response = ask(Path(service.data_dir), service.service_id, command, arguments, patience)
        if response is None:
            entries = [entry.model_dump() for entry in read_config(db_config, TAKEN_NAMES)]
            response = in_the_store(service, entries, command, arguments)
    except ConfigError as error:
        raise fault(str(error), FAULTY_CONFIG) from error
    except (NoAnswer, StorageError, OSError) as error:
        raise fault(str(error), FAILED) from error
    if not response.ok and response.failure == "refused" and refused is not None:
        return refused
    if not response.ok:
        raise fault(response.message, FAILED)
    return response.result


def read_service(config: Path) -> ServiceConfig:
    """The config of the service that is meant. Raises ConfigError."""
    raw = expect_object(read_json(config, "mooring init does"), str(config))
    return parse_service(with_environment(raw), str(config))
