"""From what TorBox answers to what the cache keeps: one record per playable file.

An item or file that does not have the documented shape costs itself alone: it is skipped, counted and its first reason kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from mooring.plugins.torbox.release_names import Names, ReleaseName, read_release_name

Kind = Literal["torrents", "usenet", "webdl"]
KINDS: tuple[Kind, ...] = get_args(Kind)

PLAYABLE = frozenset({"video/x-matroska", "video/mp4"})

RecordKey = tuple[int, int]
"""(item_id, file_id); with the kind, which each database holds one of, it names one file of the account."""


class ListedFile(BaseModel):
    """One file of a listed item; TorBox sends more fields, which the cache has no use for."""

    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True)

    id: int
    name: str
    short_name: str | None = None
    size: Annotated[int, Field(ge=0), BeforeValidator(lambda size: 0 if size is None else size)] = 0
    mimetype: str | None = None


class ListedItem(BaseModel):
    """One torrent, usenet download or web download of `mylist`."""

    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True)

    id: int
    name: str | None = None
    hash: str | None = None
    files: list[Any] | None = None
    cached: bool | None = None
    download_finished: bool | None = None

    @property
    def present(self) -> bool:
        """Whether TorBox has the files; a download on its way is listed too, with `cached` false."""
        return self.cached is not False or self.download_finished is True


class Record(BaseModel):
    """What the cache keeps of one file. Sizes are bytes; further fields of a caller's own are kept as they are."""

    model_config = ConfigDict(extra="allow", strict=True)

    item_id: int
    type: str
    folder_name: str
    folder_hash: str | None
    file_id: int
    file_name: str
    file_size: int = Field(ge=0)
    file_mimetype: str
    path: str
    extension: str
    metadata_title: str
    metadata_years: int | None
    metadata_season: int | list[int] | None
    metadata_episode: int | list[int] | None
    metadata_mediatype: Literal["movie", "series"]
    metadata_filename: str
    metadata_rootfoldername: str


@dataclass
class Skipped:
    """What was left out of a list, and why the first of each sort was."""

    count: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, reason: str) -> None:
        self.count += 1
        self.reasons[reason] += 1

    def __str__(self) -> str:
        (reason, _), *others = self.reasons.most_common()
        return f"{self.count} skipped ({reason}{', and other reasons' if others else ''})"


@dataclass
class ListedFiles:
    """The playable files of a list, each with the item that it is of, and what had to be left out."""

    files: list[tuple[ListedItem, ListedFile]] = field(default_factory=list)
    skipped: Skipped = field(default_factory=Skipped)


@dataclass
class Collected:
    """The records of one list, and what had to be left out."""

    records: list[dict[str, Any]]
    skipped: Skipped


NameReader = Callable[[str, str, str], ReleaseName]


def collect(kind: Kind, items: Iterable[object], read_name: NameReader = read_release_name) -> Collected:
    """One record per playable file of `items`, the elements of `data` in an answer."""
    listed = list_files(items)
    return Collected([make_record(kind, item, file, read_name(*names_of(item, file))) for item, file in listed.files], listed.skipped)


def list_files(items: Iterable[object]) -> ListedFiles:
    """The playable files of `items`."""
    listed = ListedFiles()
    for raw in items:
        try:
            item = ListedItem.model_validate(raw)
        except ValidationError as error:
            listed.skipped.add(f"an item with {first_fault(error)}")
            continue
        if item.present:
            _list_files_of(item, listed)
    return listed


def _list_files_of(item: ListedItem, listed: ListedFiles) -> None:
    for raw in item.files or ():
        if isinstance(raw, Mapping) and isinstance(raw.get("mimetype"), str) and raw["mimetype"] not in PLAYABLE:
            continue
        try:
            file = ListedFile.model_validate(raw)
        except ValidationError as error:
            listed.skipped.add(f"a file with {first_fault(error)}")
            continue
        if file.mimetype in PLAYABLE:
            listed.files.append((item, file))


def names_of(item: ListedItem, file: ListedFile) -> Names:
    """The names that a record has, and that are read for its metadata."""
    return Names(file.short_name or PurePosixPath(file.name).name or file.name, item.name or item.hash or str(item.id), file.name)


def make_record(kind: Kind, item: ListedItem, file: ListedFile, release: ReleaseName) -> dict[str, Any]:
    """The record of one file, in the fields and the order in which it is documented."""
    file_name, folder_name, path = names_of(item, file)
    return {
        "item_id": item.id,
        "type": kind,
        "folder_name": folder_name,
        "folder_hash": item.hash,
        "file_id": file.id,
        "file_name": file_name,
        "file_size": file.size,
        "file_mimetype": file.mimetype,
        "path": path,
        "extension": PurePosixPath(file_name).suffix.lower(),
        "metadata_title": release.title,
        "metadata_years": release.year,
        "metadata_season": release.season,
        "metadata_episode": release.episode,
        "metadata_mediatype": release.media_type,
        "metadata_filename": release.file_name,
        "metadata_rootfoldername": release.folder_name,
    }


def first_fault(error: ValidationError) -> str:
    """The first fault of a validation, with the field's name: "files.0.size: Input should be a valid integer"."""
    fault = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in fault["loc"]) or "value"
    return f"{place}: {fault['msg']}"
