"""Declared values: what a plugin keeps in a dict, in which version, and how older versions become newer ones."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from mooring.channels.system_dicts import VERSIONS, values_before
from mooring.errors import PluginError
from storage.usage import changed_in

if TYPE_CHECKING:
    from storage import CachedDict, MoobiusStorage

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Values:
    """The values of one dict: what they are, their version, and the steps from each older version to the next.

    `steps[1]` makes a value of version 2 from one of version 1. Data that was kept before anything was declared has version 1.
    The start of the service migrates: it says what it will do, does it in one commit, and keeps the old data in a dict
    beside the new. Afterwards an event that would keep another kind of value is undone as a fault of its plugin.
    """

    dict: str
    model: Any
    """What each value must be after the steps: a type, a pydantic model for a dict of these fields, a registered dataclass."""
    version: int = 1
    steps: Mapping[int, Callable[[Any], Any]] = field(default_factory=lambda: {})

    def __post_init__(self) -> None:
        missing = [version for version in range(1, self.version) if version not in self.steps]
        if self.version < 1 or missing:
            raise ValueError(f"values of {self.dict}: version {self.version} needs a step from each version below it; missing are {missing}")

    @cached_property
    def _adapter(self) -> TypeAdapter[Any]:
        return TypeAdapter(self.model)

    def check(self, value: Any) -> None:
        """Raises ValidationError if the value is not what is declared."""
        self._adapter.validate_python(value, strict=True)


def check_changed(declared: Iterable[Values], storage: MoobiusStorage) -> None:
    """Raise PluginError if the open transaction would keep a value that is not what is declared."""
    for values in declared:
        kept = _kept(storage, values)
        for key in changed_in(storage, values.dict):
            try:
                values.check(kept[key])
            except ValidationError as error:
                detail = error.errors(include_url=False)[0]
                path = "".join(f"[{part!r}]" for part in detail["loc"])
                raise PluginError(f"{_where(storage, values)}[{key!r}]{path} is not what is declared: {detail['msg']}") from error


def check_versions(declared: Iterable[Values], storage: MoobiusStorage) -> None:
    """Raise PluginError if a dict has values of another version than the declared one; it is migrated when the channel is opened."""
    versions = VERSIONS.of(storage)
    for values in declared:
        before = versions.get(values.dict, 1 if len(_kept(storage, values)) else values.version)
        if before != values.version:
            raise PluginError(f"{_where(storage, values)} is of version {before} and has to be migrated, which happens when the channel is opened")


def migrate(declared: Iterable[Values], storage: MoobiusStorage) -> None:
    """Bring the dicts of one channel to their declared versions, all or none. Blocks; not inside a transaction.

    Raises PluginError if a value does not become what is declared, or is of a newer version; nothing is changed then.
    """
    versions = VERSIONS.of(storage)
    outdated: list[tuple[Values, int, CachedDict]] = []
    for values in declared:
        before = versions.get(values.dict, 1 if len(_kept(storage, values)) else values.version)
        if before > values.version:
            raise PluginError(
                f"{_where(storage, values)} is of version {before}, and the plugin knows only up to {values.version}; use a newer plugin"
            )
        if before < values.version:
            outdated.append((values, before, values_before(values.dict, before).of(storage)))
    for values, before, _ in outdated:
        count = len(_kept(storage, values))
        logger.warning("%d values of %s are migrated from version %d to %d", count, _where(storage, values), before, values.version)
    with storage.transaction(event="migration"):
        for values, before, backup in outdated:
            _migrate(values, before, _kept(storage, values), backup, _where(storage, values))
        for values in declared:
            if versions.get(values.dict) != values.version:
                versions[values.dict] = values.version
    for values, before, backup in outdated:
        logger.warning("the %d old values of %s are kept in %s", len(backup), _where(storage, values), values_before(values.dict, before).name)


def _migrate(values: Values, before: int, kept: CachedDict, backup: CachedDict, where: str) -> None:
    backup.clear()
    for key, old in list(kept.copy().items()):
        backup[key] = old
        kept[key] = migrated(values, before, old, f"{where}[{key!r}]")


def migrated(values: Values, before: int, old: Any, where: str) -> Any:
    """What a value of an older version becomes. Raises PluginError if it does not become what is declared."""
    new = old
    try:
        for version in range(before, values.version):
            new = values.steps[version](new)
        values.check(new)
    except ValidationError as error:
        raise PluginError(f"{where} does not become what is declared: {error.errors()[0]['msg']}; nothing was changed") from error
    except Exception as error:
        raise PluginError(f"{where} cannot be migrated: {type(error).__name__}: {error}; nothing was changed") from error
    return new


def _kept(storage: MoobiusStorage, values: Values) -> CachedDict:
    if values.dict not in storage.names():
        raise PluginError(f"a plugin keeps values in a dict named {values.dict}, which the db config does not have; add an entry with this name")
    kept: CachedDict = getattr(storage, values.dict)
    return kept


def _where(storage: MoobiusStorage, values: Values) -> str:
    return f"{storage.channel_id}.{values.dict}"
