"""Where the files of a store are. No domain, whatever it holds, leads out of the folder or to another domain's file."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

JOURNAL = "journal"
QUARANTINE = "quarantine"
CLEARED = "cleared"
RETAINED = "retained"
RESTORING = "restoring"
OWNER = ".owner"
NO_DICTS = frozenset({JOURNAL, QUARANTINE, CLEARED, RETAINED, RESTORING})
"""The folders of a store in which there are no snapshots of its dicts."""
PROBE = ".probe"
"""Written and removed again when somebody asks whether the disk takes writes."""

_PLAIN = re.compile(r"[a-z0-9_-]{1,80}")
_DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{digit}" for port in ("com", "lpt") for digit in range(10))}
_READABLE_LENGTH = 40
_MOST_PARTS = 16
_HASH_LENGTH = 20


def snapshot_path(root: Path, domain: str) -> Path:
    """`service_1.channel_x.health_bars` is `service_1/channel_x/health_bars.json`."""
    parts = domain.split(".")
    if len(parts) > _MOST_PARTS:
        names = [_hashed(domain)]
    else:
        names = [_file_name(part) for part in parts]
        if parts[0] in NO_DICTS:
            names[0] = _hashed(parts[0])
    return root.joinpath(*names[:-1], names[-1] + ".json")


def _file_name(part: str) -> str:
    if _PLAIN.fullmatch(part) and part not in _DEVICES:
        return part
    return _hashed(part)


def _hashed(part: str) -> str:
    """Plain names have no `~`, so that a hashed one is never another's plain one; case and Unicode forms are in the hash."""
    readable = re.sub(r"[^a-z0-9_-]", "_", part.lower())[:_READABLE_LENGTH] or "default"
    digest = hashlib.sha256(part.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{readable}~{digest[:_HASH_LENGTH]}"
