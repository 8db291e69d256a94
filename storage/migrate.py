"""Copying dicts from the engines of one config to those of another, with a plan first and a check at the end."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from storage.cleared_backups import DEFAULT_ROOT, clear
from storage.database_interface import DatabaseInterface, DomainChanges, Origin
from storage.db_config import DbConfig, DictConfig, read_config
from storage.domains import domain_of, is_store_name
from storage.encoding import codec
from storage.encoding.codec import Encoded
from storage.engines import engine_class
from storage.errors import StorageError
from storage.moobius_storage import TAKEN_NAMES
from storage.store_entries import entry_for, keeps

_AT_ONCE = 1000
"""Keys in one commit: enough to be quick, few enough that a server is not held up."""


@dataclass(frozen=True)
class Place:
    """One dict as one of the two configs has it."""

    domain: str
    entry: DictConfig

    @contextmanager
    def open(self) -> Iterator[DatabaseInterface]:
        """The engine, which is closed afterwards."""
        with closing(engine_class(self.entry.implementation)(self.domain, **self.entry.settings)) as engine:
            yield engine

    @property
    def root(self) -> Path:
        """Where what is cleared is kept."""
        return Path(self.entry.settings.get("root_dir") or DEFAULT_ROOT)

    def __str__(self) -> str:
        settings = self.entry.settings
        where = settings.get("root_dir") or (f"{settings['host']}:{settings.get('port', 6379)}" if "host" in settings else "")
        return f"{self.entry.implementation} {where}".strip()


@dataclass(frozen=True)
class DictSummary:
    """What a dict holds: how many keys that can be read, how many that cannot, and a checksum that the order has no part in."""

    keys: int
    unreadable: int
    checksum: str


@dataclass(frozen=True)
class Step:
    """One dict of the plan."""

    source: Place
    target: Place
    before: DictSummary
    there: DictSummary

    @property
    def is_done(self) -> bool:
        """Whether the target holds the same already."""
        return self.before.checksum == self.there.checksum

    @property
    def is_in_the_way(self) -> bool:
        """Whether the target holds something else."""
        return self.there.keys > 0 and not self.is_done


class MigrationFailed(StorageError):
    """The copy is not what the original is; the original was not touched."""


def plan(service_id: str, channels: Mapping[tuple[str, str], Sequence[str]], source: DbConfig, target: DbConfig) -> list[Step]:
    """What there is to copy. `channels` name, for each channel, given with its storage's variant, the system dicts that it may have, without
    the underscore, and its stores, like `plugin.store`.

    Reads every dict of both sides and changes nothing. Raises ConfigError, StoreLocked, StorageUnavailable.
    """
    old, new = (read_config(config, TAKEN_NAMES) for config in (source, target))
    steps = []
    # A folder is opened once for all of its dicts: each opening and closing writes snapshots anew.
    with ExitStack() as opened:
        for (channel_id, variant), names in channels.items():
            system, stores = [name for name in names if not is_store_name(name)], list(filter(is_store_name, names))
            for place, other in _pairs(partial(domain_of, service_id, channel_id, variant=variant), old, new, system, stores):
                before, there = (_summary(opened.enter_context(each.open())) for each in (place, other))
                if before.keys or before.unreadable:
                    steps.append(Step(place, other, before, there))
    return steps


def left_out(source: DbConfig, target: DbConfig) -> list[str]:
    """The dicts of the source that the target does not have, and keeps nothing of."""
    new = {entry.name: entry for entry in read_config(target, TAKEN_NAMES)}
    return [entry.name for entry in read_config(source, TAKEN_NAMES) if not entry.is_for_stores and not keeps(new.get(entry.name))]


def carry_out(step: Step) -> None:
    """Copy one dict and compare. What is in the way is kept in a dated file first.

    Raises MigrationFailed if the source changed since the plan or the copy differs, and what engines raise. The source stays.
    """
    with step.source.open() as source, step.target.open() as target:
        if _summary(source) != step.before:
            raise MigrationFailed(f"{source!r} has changed since the plan was made; stop the service and begin again")
        if step.is_in_the_way:
            clear(target, step.target.root)
        items = list(source.load_all().items())
        for first in range(0, len(items), _AT_ONCE):
            target.commit_batch([DomainChanges(target, items[first : first + _AT_ONCE])], Origin(event="migration"), sync=True)
    # Opened anew, so that what is compared is what a later start will find.
    with step.source.open() as source, step.target.open() as target:
        found = _summary(target)
        if found.keys != step.before.keys or found.checksum != step.before.checksum:
            raise MigrationFailed(f"{target!r} has {found.keys} keys ({found.checksum}) instead of {step.before.keys} ({step.before.checksum})")
        if _summary(source) != step.before:
            raise MigrationFailed(f"{source!r} was changed while it was copied; stop the service and begin again")


def _pairs(
    named: Callable[[str], str], old: Sequence[DictConfig], new: Sequence[DictConfig], system: Sequence[str], stores: Sequence[str]
) -> Iterator[tuple[Place, Place]]:
    """Where each dict is and will be; `named` gives the domain of a dict."""
    by_name = {entry.name: entry for entry in new}
    for entry in old:
        other = by_name.get(entry.name)
        if not entry.is_for_stores and keeps(entry) and other is not None and keeps(other):
            domain = named(entry.name)
            yield Place(domain, entry), Place(domain, other)
    beside = next(filter(keeps, old), None), next(filter(keeps, new), None)
    if beside[0] is not None and beside[1] is not None:
        for name in system:
            domain = named(f"_{name}")
            yield Place(domain, beside[0]), Place(domain, beside[1])
    for name in stores:
        before, after = entry_for(old, name), entry_for(new, name)
        if keeps(before) and keeps(after):
            yield Place(named(name), before), Place(named(name), after)


def _summary(engine: DatabaseInterface) -> DictSummary:
    known = len(engine.report)
    texts = engine.load_all()
    return DictSummary(len(texts), len(engine.report) - known, _checksum(texts))


def _checksum(texts: Mapping[str, Encoded]) -> str:
    """Of keys and values, in our own spelling: a file that was edited by hand may have another one."""
    total = hashlib.sha256()
    for key in sorted(texts):
        text = codec.encode(codec.decode(texts[key]))
        for part in (codec.escape_key(key).encode(), text):
            total.update(len(part).to_bytes(8, "big") + part)
    return total.hexdigest()[:16]
