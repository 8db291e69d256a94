"""Taking over what the SDK kept: a plan, and its steps. Of the files of the SDK none is changed.

A step is carried out in commits of many keys, and marked when it is done. A plan that is made after a crash finds what is there already,
and goes on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mooring.channels.system_dicts import IMPORTED, OF_THE_SERVICE
from mooring.sdk.marks import known_classes
from mooring.sdk.old_folder import read_old_dict
from mooring.service.old_data import OldDict
from storage import CachedDict, MoobiusStorage
from storage.db_config import DictConfig
from storage.encoding import codec
from storage.encoding.codec import Encoded
from storage.engines import engine_class
from storage.errors import StorageError
from storage.files import Files, replace_file
from storage.json.snapshots import render

REPLACED = Path("mooring_replaced")
"""Where dated files keep what a replacing import has replaced."""

_AT_ONCE = 1000
"""Keys in one commit: enough to be quick, few enough that nobody is held up."""


@dataclass(frozen=True)
class Target:
    """The service that takes the data over."""

    service_id: str
    channel_ids: tuple[str, ...]
    """The channels that its config names."""
    entries: Sequence[DictConfig]

    def entry(self, name: str) -> DictConfig | None:
        """The entry of the dict of this name, None if there is none that keeps its data."""
        found = next((entry for entry in self.entries if entry.name == name), None)
        return found if found is not None and engine_class(found.implementation).persistent else None

    @contextmanager
    def open(self, channel_id: str, *names: str) -> Iterator[MoobiusStorage]:
        """The named dicts of a channel, or all; `clear` in the config counts for the service and not here."""
        entries = [entry.model_dump() | {"clear": False, "load": bool(names)} for entry in self.entries if not names or entry.name in names]
        with MoobiusStorage(self.service_id, channel_id, entries) as storage:
            yield storage

    @contextmanager
    def marks(self) -> Iterator[CachedDict]:
        """What was taken over before, by the SDK's domains."""
        entries = [entry.model_dump() | {"clear": False, "load": False} for entry in self.entries]
        with OF_THE_SERVICE.open(self.service_id, entries) as storage:
            yield IMPORTED.of(storage)


@dataclass(frozen=True)
class Step:
    """One dict of the plan."""

    old: OldDict
    has_place: bool
    """Whether the config has a dict of its name that keeps its data."""
    is_marked: bool
    """Whether it was taken over before; what the service has changed since is no conflict."""
    to_copy: tuple[str, ...]
    conflicts: tuple[str, ...]
    """The keys that have another value at the target."""
    there: int
    """How many keys the target has."""
    left_behind: Mapping[str, str]
    """The keys whose files cannot be read, or whose values cannot be kept, and why."""

    @property
    def is_done(self) -> bool:
        """Whether there is nothing to copy."""
        return not self.to_copy and not self.conflicts


class ImportFailed(StorageError):
    """What arrived is not what was read; the files of the SDK are as they were."""


def plan(olds: Sequence[OldDict], target: Target, marks: Mapping[str, Any]) -> list[Step]:
    """What there is to do. Reads every file and every dict, and changes nothing. Raises StoreLocked, StorageUnavailable."""
    classes = known_classes()
    return [_step(old, target, marks.get(old.domain), classes) for old in olds]


def carry_out(step: Step, target: Target, marks: CachedDict) -> Path | None:
    """Copy one dict, compare, and mark it as done. Returns the file that keeps what was replaced, if anything was.

    Raises ImportFailed, and what engines raise.
    """
    old, kept = step.old, None
    if not step.has_place:
        return None
    texts = read_old_dict(old, known_classes()).texts
    wanted = texts if step.conflicts else {key: texts[key] for key in step.to_copy if key in texts}
    with target.open(old.channel_id, old.name) as storage:
        taken: CachedDict = getattr(storage, old.name)
        if step.conflicts:
            kept = _keep(taken)
        keys = list(wanted)
        for first in range(0, max(1, len(keys)), _AT_ONCE):
            with storage.transaction(event="import"):
                if step.conflicts and first == 0:
                    taken.clear()
                for key in keys[first : first + _AT_ONCE]:
                    taken[key] = codec.decode(wanted[key])
    with target.open(old.channel_id, old.name) as storage:  # opened anew, so that what is compared is what the service will find
        wrong = [key for key, text in wanted.items() if not _holds(getattr(storage, old.name), key, text)]
        if wrong:
            raise ImportFailed(f"{old.domain}: {len(wrong)} of {len(wanted)} keys did not arrive as they were, {wrong[0]!r} for one")
    marks[old.domain] = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "keys": len(texts), "left_behind": list(step.left_behind)}
    return kept


def _step(old: OldDict, target: Target, mark: Any, classes: Mapping[str, type]) -> Step:
    content = read_old_dict(old, classes)
    texts, left_behind = content.texts, content.unreadable
    if target.entry(old.name) is None:
        return Step(old, False, mark is not None, (), (), 0, left_behind)
    with target.open(old.channel_id, old.name) as storage:
        taken: CachedDict = getattr(storage, old.name)
        if mark is not None:
            texts = {key: texts[key] for key in mark["left_behind"] if key in texts}
        missing = tuple(key for key in texts if key not in taken)
        conflicts = tuple(key for key, text in texts.items() if key in taken and not _holds(taken, key, text))
        return Step(old, True, mark is not None, missing, conflicts, len(taken), left_behind)


def _holds(taken: CachedDict, key: str, text: Encoded) -> bool:
    try:
        return codec.encode(taken[key]) == bytes(text)
    except (KeyError, StorageError):
        return False


def _keep(taken: CachedDict) -> Path:
    domain = taken.database.domain
    kept = REPLACED / f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}-{domain}"[:200]
    replace_file(Files(), kept.with_name(f"{kept.name}.json").absolute(), render(domain, 0, taken.database.load_all()))
    return kept.with_name(f"{kept.name}.json")
