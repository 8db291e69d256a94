"""Reading the snapshots of a store part by part, however large they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, takewhile
from pathlib import Path
from zlib import crc32

import msgspec

from storage.encoding import codec
from storage.encoding.codec import Encoded
from storage.errors import StorageError
from storage.files import Files
from storage.json.inspection import domain_of_path, snapshot_files
from storage.json.paths import snapshot_path
from storage.json.snapshots import CHECKS_START, CHUNK, OPENING, Header, domain_in, verified_header
from storage.json.table import read_file

_READ_BYTES = 1 << 20
_decode_lines = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


@dataclass(frozen=True)
class StreamedDict:
    """One dict. `parts` can be gone through once; `faults` tell what of the file was damaged and is not among them."""

    domain: str
    keys: int
    parts: Iterator[Sequence[tuple[str, Encoded]]]
    faults: tuple[str, ...] = ()


def streamed_dicts(root: Path) -> Iterator[StreamedDict]:
    """All dicts of a store whose snapshots do not change meanwhile. Only a damaged file is read as a whole.

    Raises OSError, and StorageError for a file of a later format.
    """
    for path in snapshot_files(root):
        try:
            found = _streamed(path, root)
        except StorageError as error:
            raise StorageError(f"{path}: {error}") from error
        if found is not None:
            yield found


def _streamed(path: Path, root: Path) -> StreamedDict | None:
    """None for somebody else's file, or a copy of one of ours under another name."""
    header = _intact_header(path)
    if header is None:
        return _mended(path, root)
    domain = codec.unescape_key(header.domain)
    return StreamedDict(domain, header.keys, _parts(path)) if snapshot_path(root, domain) == path else None


def _intact_header(path: Path) -> Header | None:
    """The header, if every byte of the file is as it was written."""
    with path.open("rb") as file:
        if file.readline() != OPENING:
            return None
        header = verified_header(file.readline().rstrip(b"\n"))
        if header is None or header.crc is None:
            return None
        crc = 0
        while data := file.read(_READ_BYTES):
            crc = crc32(data, crc)
    return header if crc == int(header.crc[:8], 16) else None


def _parts(path: Path) -> Iterator[Sequence[tuple[str, Encoded]]]:
    with path.open("rb") as file:
        file.readline()
        file.readline()
        lines = takewhile(lambda line: not line.startswith(CHECKS_START), file)
        while batch := list(islice(lines, CHUNK)):
            values = _decode_lines(b"{%b}" % b"".join(batch).rstrip(b",\n"))
            yield [(codec.unescape_key(key), value) for key, value in values.items()]


def _mended(path: Path, root: Path) -> StreamedDict | None:
    data = Files().read(path)
    domain = domain_in(data) or domain_of_path(path, root)
    if domain is None or snapshot_path(root, domain) != path:
        return None
    snapshot = read_file(data, domain)
    faults = tuple(f"{path}:{fault.offset}: {fault.reason}" for fault in snapshot.faults)
    return StreamedDict(domain, len(snapshot.values), iter([list(snapshot.values.items())]), faults)
