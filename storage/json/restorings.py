"""When dicts of a store took what a backup had, for those who ask what happened: the journal does not tell of it.

    retained/000000000042.restored    after commit 42: when, and which dicts

What the journal says of these dicts up to there is not what the commits after it began with.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import msgspec

from storage.files import Files, make_folders, replace_file
from storage.json.lines import CHECK_LENGTH, frame
from storage.json.paths import RETAINED

_log = logging.getLogger(__name__)
_NAME = re.compile(r"(\d+)\.restored")


class _Content(msgspec.Struct):
    at: float
    dicts: list[str]


@dataclass(frozen=True)
class Restoring:
    """One of them."""

    sequence: int
    """The last commit before it."""
    at: float
    """Seconds since 1970; 0 if that cannot be read any more."""
    domains: frozenset[str] | None
    """Of the dicts; None if that cannot be read any more: it may be any of them."""
    path: Path

    def replaced(self, domain: str) -> bool:
        """Whether this dict may be among them."""
        return self.domains is None or domain in self.domains


def note_restoring(root: Path, sequence: int, at: float, domains: Collection[str], files: Files) -> None:
    """Remember one; of several without a commit in between, the dicts of all and the time of the last. Raises OSError."""
    make_folders(files, root / RETAINED)
    names = set(domains)
    for before in restorings(root, files):
        if before.sequence == sequence:
            if before.domains is None:
                return  # it may be any dict, and so these as well
            names |= before.domains
    content = msgspec.json.encode(_Content(at, sorted(names)))
    replace_file(files, root / RETAINED / f"{sequence:012d}.restored", [frame(content)])


def restorings(root: Path, files: Files) -> list[Restoring]:
    """All that are remembered, the oldest first. Raises OSError."""
    folder = root / RETAINED
    found = [(int(match[1]), folder / name) for name in files.names(folder) if (match := _NAME.fullmatch(name))]
    return [_read(sequence, path, files) for sequence, path in sorted(found)]


def _read(sequence: int, path: Path, files: Files) -> Restoring:
    data = files.read(path)
    payload = data[CHECK_LENGTH:].rstrip(b"\n")
    if frame(payload) != data:
        _log.warning("%s is damaged: what dicts were before it is taken as not known", path)
        return Restoring(sequence, 0.0, None, path)
    content = msgspec.json.decode(payload, type=_Content)
    return Restoring(sequence, content.at, frozenset(content.dicts), path)
