"""What the records of channels that are made at run time have to look like, and where those go that do not."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Annotated, Any

import msgspec

from mooring.channels.system_dicts import DELETED_CHANNELS, INCARNATIONS, MADE_CHANNELS, SET_ASIDE, SystemDict
from mooring.made_channels import MadeChannel
from storage import MoobiusStorage

log = logging.getLogger(__name__)

_Number = Annotated[int, msgspec.Meta(ge=1)]


class _Incarnations(msgspec.Struct):
    highest: _Number
    configured: _Number | None = None


def read_channel(kept: Any) -> MadeChannel | None:
    """The channel that is kept so; None for what is no such record."""
    try:
        made = msgspec.convert(kept, MadeChannel)
    except msgspec.ValidationError:
        return None
    return made if isinstance(made.config.get("id"), str) and made.incarnation >= 1 else None


def read_channels(kept: Iterable[Any]) -> list[MadeChannel]:
    """Those that can be read."""
    return [made for made in map(read_channel, kept) if made is not None]


def set_aside(storage: MoobiusStorage) -> None:
    """Move what is no record out of the way, in one commit, so that it costs its own channel alone. Blocks."""
    wrong = [
        (system, key)
        for system in (MADE_CHANNELS, DELETED_CHANNELS, INCARNATIONS)
        for key, value in system.of(storage).copy().items()
        if not _is_record(system, value)
    ]
    if not wrong:
        return
    kept_aside = SET_ASIDE.of(storage)
    with storage.transaction(event="records set aside"):
        for system, key in wrong:
            kept_aside[f"{system.name}/{key}"] = system.of(storage).pop(key)
        for system, key in wrong:
            if system is INCARNATIONS:
                INCARNATIONS.of(storage)[key] = _as_far_as_known(storage, key)
    for system, key in wrong:
        log.error("%s, key %r: this is no such record; it was set aside in the dict %s", system.changed_as, key, SET_ASIDE.changed_as)


def _is_record(system: SystemDict, value: Any) -> bool:
    if system is not INCARNATIONS:
        return read_channel(value) is not None
    try:
        msgspec.convert(value, _Incarnations)
    except msgspec.ValidationError:
        return False
    return True


def _as_far_as_known(storage: MoobiusStorage, channel_id: str) -> dict[str, int | None]:
    """The numbers of a channel's incarnations by what there is of them: a channel of the config came after those that were deleted."""
    made = read_channel(MADE_CHANNELS.of(storage).get(channel_id))
    deleted = [each.incarnation for each in read_channels(DELETED_CHANNELS.of(storage).copy().values()) if each.id == channel_id]
    if made is not None:
        return {"highest": max(made.incarnation, *deleted, 1), "configured": None}
    configured = max(deleted, default=0) + 1
    return {"highest": configured, "configured": configured}
