"""The file of a backup: gzip, and in it lines of `<CRC-32 of the JSON, 8 hex digits> <JSON>`.

    {"mooring_backup":1,"service":"1","version":"0.1.0","at":1795303047.2}
    {"dict":"service_1.channel_tavern.health_bars","keys":2}
    {"put":{"ann":80,"bob":{"hp":3}}}
    {"end":1}

Each dict is one line with its name and number of keys and, after it, lines with some keys each, spelled as in snapshots. The last line has the
number of dicts: a file without it is not whole.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO

import msgspec

from storage.encoding import codec
from storage.encoding.codec import Encoded
from storage.errors import StorageError, UnreadableValue
from storage.json.lines import CHECK_LENGTH, frame

FORMAT = 1
_LEVEL = 1
_encode = msgspec.json.Encoder().encode

Items = Sequence[tuple[str, Encoded]]


class BackupDamaged(StorageError):
    """The file is not as it was written, or no backup; the text names it."""


class BackupHeader(msgspec.Struct):
    """What a backup says of itself."""

    mooring_backup: int
    """The version of the format."""
    service: str
    """The id of the service whose dicts are in it."""
    version: str
    """The version of Mooring that wrote it."""
    at: float
    """When, in seconds since 1970."""
    channel: str = ""
    """The id of the channel whose dicts are all that is in it; empty for those of every channel."""


class DictHead(msgspec.Struct, frozen=True):
    """One dict of a backup."""

    domain: str
    keys: int


class _Line(msgspec.Struct):
    domain: str | None = msgspec.field(default=None, name="dict")
    keys: int = 0
    put: dict[str, msgspec.Raw] | None = None
    end: int | None = None


class _AnyHeader(msgspec.Struct):
    mooring_backup: Any


_decode_line = msgspec.json.Decoder(_Line).decode


def rendered(header: BackupHeader, dicts: Iterable[tuple[DictHead, Iterable[Items]]]) -> Iterator[bytes]:
    """The bytes of the file, part by part."""
    squeeze = zlib.compressobj(_LEVEL, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    for line in _lines(header, dicts):
        if data := squeeze.compress(frame(line)):
            yield data
    yield squeeze.flush()


class BackupReader:
    """Reads a backup from an open file, whose name is for messages. Everything raises BackupDamaged if a byte of it is not as it was written."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._name = name
        self._lines = gzip.GzipFile(fileobj=file)
        with self._told():
            payload = self._next()
            number = msgspec.json.decode(payload, type=_AnyHeader).mooring_backup
            if number != FORMAT:
                raise StorageError(f"{name} has backup format {number}, this version of Mooring reads {FORMAT}; use the version that wrote it")
            self.header = msgspec.json.decode(payload, type=BackupHeader)

    def dicts(self) -> Iterator[tuple[DictHead, Iterator[Items]]]:
        """Each dict with its keys part by part, once. What is not read of a dict is checked and passed over when the next one is asked for."""
        count, line = 0, self._read()
        while line.end is None:
            if line.domain is None:
                raise self._damaged("a line stands in the wrong place")
            head, count = DictHead(self._unescaped(line.domain), line.keys), count + 1
            after: list[_Line] = []
            parts = self._parts(head, after)
            yield head, parts
            for _ in parts:
                pass
            line = after[0]
        if line.end != count or self._has_more():
            raise self._damaged("dicts are missing")

    def _parts(self, head: DictHead, after: list[_Line]) -> Iterator[Items]:
        found, line = 0, self._read()
        while line.put is not None:
            found += len(line.put)
            yield [(self._unescaped(key), value) for key, value in line.put.items()]
            line = self._read()
        if found != head.keys:
            raise self._damaged(f"{head.domain} has {found} keys and not {head.keys}")
        after.append(line)

    def _read(self) -> _Line:
        with self._told():
            return _decode_line(self._next())

    def _next(self) -> bytes:
        line = self._lines.readline()
        payload = line[CHECK_LENGTH:-1]
        if frame(payload) != line:
            raise self._damaged("a line does not fit its checksum" if line else "its end is missing")
        return payload

    def _has_more(self) -> bool:
        with self._told():
            return bool(self._lines.read(1))

    def _unescaped(self, text: str) -> str:
        try:
            return codec.unescape_key(text)
        except UnreadableValue as error:
            raise self._damaged(str(error)) from error

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (EOFError, zlib.error, gzip.BadGzipFile, msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise self._damaged(str(error)) from error

    def _damaged(self, reason: str) -> BackupDamaged:
        return BackupDamaged(f"{self._name} is damaged, or no backup ({reason.rstrip('.')}); use another one. Nothing was done with it")


def _lines(header: BackupHeader, dicts: Iterable[tuple[DictHead, Iterable[Items]]]) -> Iterator[bytes]:
    yield _encode(header)
    count = 0
    for count, (head, parts) in enumerate(dicts, 1):  # noqa: B007 - it is used after the loop
        yield b'{"dict":%b,"keys":%d}' % (_key(head.domain), head.keys)
        for part in parts:
            yield b'{"put":{%b}}' % b",".join(b"%b:%b" % (_key(key), bytes(value)) for key, value in part)
    yield b'{"end":%d}' % count


def _key(key: str) -> bytes:
    return _encode(codec.escape_key(key))
