"""The file `{name}.json` as stock TinyDB writes and reads it: an object of tables, each an object of documents by id.

A line per document, so that a person, or a tool that works by lines, finds one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from json import dumps
from pathlib import Path
from typing import Any

from mooring.plugins.torbox.documents import Document, decode, stock_text
from mooring.plugins.torbox.table_state import DocumentId
from storage.json import Files, replace_file

_CHUNK = 500

Content = Mapping[str, Mapping[DocumentId, Document]]


class BrokenFile(ValueError):
    """The file does not hold tables of documents; the text says what it holds instead."""


def parse(data: bytes) -> dict[str, dict[str, Document]] | None:
    """The tables that a file holds, or None if it is empty. Raises BrokenFile."""
    if not data.strip():
        return None
    try:
        content: Any = decode(data)
    except ValueError as error:
        raise BrokenFile(f"it is not JSON ({error})") from error
    if not isinstance(content, dict):
        raise BrokenFile(f"it holds {_kind(content)} instead of tables")
    for name, table in content.items():
        if not isinstance(table, dict):
            raise BrokenFile(f"table {name!r} is {_kind(table)} instead of documents by id")
        for key, document in table.items():
            if not isinstance(document, dict):
                raise BrokenFile(f"document {key} of table {name!r} is {_kind(document)}")
    return content


def write_file(files: Files, path: Path, content: Content) -> int:
    """Replaces the file in one step, and returns how many bytes it has."""
    size = 0

    def measured() -> Iterator[bytes]:
        nonlocal size
        for chunk in _chunks(content):
            size += len(chunk)
            yield chunk

    replace_file(files, path, measured())
    return size


def create_file(files: Files, path: Path) -> None:
    """An empty file, which is what stock TinyDB makes of a new database."""
    replace_file(files, path, [])


def _chunks(content: Content) -> Iterator[bytes]:
    opening = "{"
    for name, documents in content.items():
        yield f"{opening}{dumps(name)}: {{".encode("ascii")
        opening = "\n}, "
        separator = "\n"
        for batch in _batches(documents):
            yield (separator + ",\n".join(f"{dumps(str(key))}: {stock_text(document)}" for key, document in batch)).encode("ascii")
            separator = ",\n"
    yield b"{}\n" if opening == "{" else b"\n}}\n"


def _batches(documents: Mapping[DocumentId, Document]) -> Iterable[list[tuple[DocumentId, Document]]]:
    batch: list[tuple[DocumentId, Document]] = []
    for item in documents.items():
        batch.append(item)
        if len(batch) == _CHUNK:
            yield batch
            batch = []
    if batch:
        yield batch


def _kind(value: object) -> str:
    return {list: "a list", str: "a text", type(None): "null"}.get(type(value), f"a {type(value).__name__}")
