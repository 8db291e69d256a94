"""What the SDK's JSONDatabase left: `ROOT/service_X/channel_Y/NAME/KEY.json`, one file for each key."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storage.engines import find_engine

_SUFFIX = ".json"
_OURS = b'{\n"$mooring"'
"""How a file begins that keeps a whole dict, as Mooring's own engine writes it. The SDK indents what it writes."""
_WITHOUT_REST = 16
"""Folders, which take a fraction of a millisecond."""


@dataclass(frozen=True)
class OldDict:
    """One dict of one channel, as the SDK kept it."""

    service_id: str
    channel_id: str
    name: str
    folder: Path
    keys: int

    @property
    def domain(self) -> str:
        """What the SDK calls it."""
        return f"service_{self.service_id}.channel_{self.channel_id}.{self.name}"

    def files(self) -> dict[str, Path]:
        """The file of each key."""
        return {key: self.folder / f"{key}{_SUFFIX}" for key in sorted(_keys_in(self.folder))}


def find_old_dicts(root: Path, rest: Callable[[], object] = lambda: None) -> list[OldDict]:
    """All dicts that the SDK kept under a folder, by service, channel and name. It reads folders and no values.

    `rest` is called after every few folders: beside a service, looking through thousands without a break holds up what that does.
    """
    found = []
    for folder in sorted(_folders(root, rest)):
        keys = sum(1 for _ in _keys_in(folder))
        named = _named(folder.relative_to(root).parts)
        if keys and named is not None:
            found.append(OldDict(*named, folder, keys))
    return found


def json_roots(entries: Iterable[Mapping[str, Any]]) -> list[Path]:
    """The folders in which the dicts of a db config are, as far as they are in files."""
    in_files = (entry for entry in entries if (engine := find_engine(entry["implementation"])) is not None and engine.name == "json")
    return [Path(root) for root in dict.fromkeys(entry["settings"].get("root_dir", "") for entry in in_files)]


def not_taken_over(roots: Iterable[Path], taken_over: Collection[str], rest: Callable[[], object] = lambda: None) -> dict[Path, list[OldDict]]:
    """The old dicts under each of these folders that no import has taken over, for folders that have some.

    `taken_over` are the domains for which `mooring import moobius` has left a mark; `rest` is as above.
    """
    found = {root: [old for old in find_old_dicts(root, rest) if old.domain not in taken_over] for root in dict.fromkeys(roots)}
    return {root: olds for root, olds in found.items() if olds}


def told(root: Path, olds: Collection[OldDict], options: str) -> str:
    """One line about what was found under a folder, for the log and for `mooring check`; `options` name the config for the command."""
    keys = sum(old.keys for old in olds)
    channels = len({(old.service_id, old.channel_id) for old in olds})
    return (
        f"{root} has data that the Moobius SDK kept and Mooring does not read: {keys} keys in {len(olds)} dicts of {channels} channels. "
        f"Take it over with: mooring import moobius {root}{options}"
    )


def _folders(root: Path, rest: Callable[[], object]) -> Iterator[Path]:
    """Those in which keys may be: three levels down, or deeper, as a dot in an id began a new folder."""
    for service in root.glob("service_*"):
        for number, (folder, _, _) in enumerate(os.walk(service), 1):
            if number % _WITHOUT_REST == 0:
                rest()
            path = Path(folder)
            if len(path.relative_to(root).parts) >= 3:
                yield path


def _keys_in(folder: Path) -> Iterator[str]:
    names = [entry.name for entry in os.scandir(folder) if entry.name.endswith(_SUFFIX) and entry.is_file()]
    if names and not _is_ours(folder / names[0]):
        yield from (name.removesuffix(_SUFFIX) for name in names)


def _is_ours(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_OURS)) == _OURS
    except OSError:
        return False  # what cannot be read is for the import to name


def _named(parts: tuple[str, ...]) -> tuple[str, str, str] | None:
    """Service, channel and name, from the folders that the SDK made of `service_X.channel_Y.NAME` at each dot."""
    places = [place for place, part in enumerate(parts[1:-1], 1) if part.startswith("channel_")]
    if not places or not parts[0].startswith("service_"):
        return None
    service, channel = ".".join(parts[: places[0]]), ".".join(parts[places[0] : -1])
    return service.removeprefix("service_"), channel.removeprefix("channel_"), parts[-1]
