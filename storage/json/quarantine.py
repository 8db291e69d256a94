"""Damaged files are kept, byte for byte, before anything replaces them."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from storage.files import Files, replace_file
from storage.json.paths import QUARANTINE
from storage.locking import PatientLock

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DamagedPlace:
    """One damaged place: the offset in the file, whose it was as far as that can be read, and what is wrong with it."""

    offset: int
    domain: str
    key: str | None
    reason: str


class Quarantine:
    """Keeps each state of a damaged file once. What cannot be kept right now is tried again by `settle`."""

    def __init__(self, root: Path, files: Files) -> None:
        self._root = root
        self._folder = root / QUARANTINE
        self._files = files
        self._waiting: dict[Path, tuple[bytes, str]] = {}
        self._lock = PatientLock()
        """Held while copies are written: dicts are loaded in several threads, and beside checkpoints."""

    def keep(self, path: Path, data: bytes, places: Sequence[DamagedPlace] = ()) -> Path:
        """Returns the path of the copy, which has a note beside it if there are places to name.

        Does not raise if the disk refuses: the damaged file is still there then.
        """
        label = re.sub(r"[^a-z0-9_~.-]", "-", str(path.relative_to(self._root)).lower())[-100:]
        ending = f"-{sha256(data).hexdigest()[:12]}-{label}"
        for name in self._files.names(self._folder):
            if name.endswith(ending):
                return self._folder / name
        copy = self._folder / f"{datetime.now(UTC):%Y-%m-%d}{ending}"
        self._waiting[copy] = (data, _note(path.relative_to(self._root), places) if places else "")
        try:
            self.settle()
        except OSError as error:
            _log.warning("could not keep a copy of the damaged file %s yet (%s)", path, error)
        return copy

    def settle(self) -> None:
        """Call it before a damaged file is replaced or removed. Raises OSError if its copy cannot be written even now."""
        with self._lock.ready():
            for copy, (data, note) in list(self._waiting.items()):
                if note:  # first: a copy that is there has its note
                    replace_file(self._files, copy.with_name(copy.name + ".note.json"), [note.encode()])
                replace_file(self._files, copy, [data])
                del self._waiting[copy]


def _note(path: Path, places: Sequence[DamagedPlace]) -> str:
    damaged = [{"offset": place.offset, "domain": place.domain, "key": place.key, "reason": place.reason} for place in places]
    return json.dumps({"file": path.as_posix(), "found": datetime.now(UTC).isoformat(timespec="seconds"), "damaged": damaged}, indent=1) + "\n"
