"""What the records in the service's own dicts have to look like, and where those go that do not."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from mooring.channels.history import LAST
from mooring.channels.system_dicts import (
    HANDLED,
    HISTORY,
    IGNORED,
    MEMBERS,
    READ_MARKS,
    ROOMS,
    SCHEDULES,
    SET_ASIDE,
    SETTINGS,
    UNFINISHED,
    SystemDict,
)
from mooring.rooms import Room, WhenUnsure
from storage import Finding, MoobiusStorage

log = logging.getLogger(__name__)


class _Member(msgspec.Struct):
    name: str
    role: str
    joined: float = 0.0
    role_is_set: bool = False
    avatar: str | None = None
    description: str | None = None
    given: bool = False
    guest: bool = False
    seen: float = 0.0
    address: str = ""


class _Room(msgspec.Struct):
    when_unsure: WhenUnsure


class _Scheduled(msgspec.Struct):
    due: float
    plugin: str
    function: str
    arguments: list[Any] = []
    member: str = ""
    recurrence: dict[str, Any] | None = None
    tries: int = 0
    failed: bool = False
    problem: str = ""
    since: float | None = None


class _Unfinished(msgspec.Struct):
    by: str
    body: dict[str, Any]


_SHAPES: Mapping[SystemDict, Any] = {
    MEMBERS: _Member,
    HANDLED: tuple[float, bool, str],
    ROOMS: _Room,
    READ_MARKS: str,
    SCHEDULES: _Scheduled,
    UNFINISHED: _Unfinished,
    IGNORED: list[str],
}
_NUMBER = Annotated[int, msgspec.Meta(ge=0)]
_OF_KEYS: Mapping[tuple[SystemDict, str], Any] = {
    (HISTORY, LAST): _NUMBER,
    (SETTINGS, "closed"): _NUMBER,
    (SETTINGS, "plugins"): dict[str, bool],
}


def fault_of(system: SystemDict, key: str, value: Any) -> str | None:
    """Why this is no record of the dict, None if it is one. Dicts whose readers pass over what they cannot read are not asked about."""
    shape = _OF_KEYS.get((system, key), _SHAPES.get(system))
    if shape is None:
        return None
    try:
        msgspec.convert(value, shape)
        if system is ROOMS:
            Room.parse(key)
    except ValueError as error:  # msgspec's is one
        return str(error)
    return None


def set_aside(storage: MoobiusStorage) -> list[Finding]:
    """Move what is no record of the service's own dicts out of the way, so that one of them costs itself and no channel. Blocks."""
    faults = [
        (system, key, fault)
        for system in (*_SHAPES, HISTORY, SETTINGS)
        for key, value in system.of(storage).items()
        if (fault := fault_of(system, key, value)) is not None
    ]
    if not faults:
        return []
    with storage.transaction(event="records set aside"):
        for system, key, _ in faults:
            SET_ASIDE.of(storage)[f"{system.name}/{key}"] = system.of(storage).pop(key)
    return [_told(storage, system, key, fault) for system, key, fault in faults]


def _told(storage: MoobiusStorage, system: SystemDict, key: str, fault: str) -> Finding:
    domain = system.of(storage).database.domain
    log.error("%s, key %r: this is no such record (%s); it was set aside in the dict %s", domain, key, fault, SET_ASIDE.changed_as)
    return Finding("quarantined", domain, key, domain, f"this is no such record: {fault}", SET_ASIDE.changed_as)
