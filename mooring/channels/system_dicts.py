"""The dicts that the service keeps for itself, beside those of plugins: the one list of all of them.

A system dict is opened through its entry here and nowhere else, so that migration, which goes by this list, can forget none.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from itertools import islice
from typing import Any

from storage import CachedDict, MoobiusStorage
from storage.db_config import DbConfig, read_config
from storage.domains import is_store_name, last_part
from storage.engines import engine_class
from storage.moobius_storage import TAKEN_NAMES

_OF_THE_SERVICE, _OF_PLUGINS = "service", "plugin"
"""The variants of storages that belong to no channel: what the service keeps for itself, and what its plugins keep."""


@dataclass(frozen=True)
class SystemDict:
    """One dict in the storage of each channel, or of the service."""

    name: str
    is_moved: bool = True
    """False if what it holds means nothing in another engine."""

    @property
    def changed_as(self) -> str:
        """What the storage's news call it."""
        return f"_{self.name}"

    def of(self, storage: MoobiusStorage) -> CachedDict:
        """The dict in this storage; made if there is none yet, which a transaction cannot."""
        return storage.system(self.name)


@dataclass(frozen=True)
class ServiceDicts:
    """Dicts of the whole service, in a storage of their own beside those of the channels.

    A plugin that keeps some declares them in its module as `SERVICE_DICTS`, and so they move with the rest. No channel, whatever its id,
    meets them.
    """

    storage: str
    """What their storage is called."""
    dicts: tuple[SystemDict, ...]
    is_secret: bool = False
    """Whether they hold keys, which move only from one server to another and never into files that others may read."""
    _: KW_ONLY
    is_own: bool = False
    """Whether the service itself keeps them, and no plugin, whose names meet none of these."""

    @property
    def variant(self) -> str:
        """The variant of their storage."""
        return _OF_THE_SERVICE if self.is_own else _OF_PLUGINS

    def open(self, service_id: str, db_config: DbConfig) -> MoobiusStorage:
        """Their storage; whoever opens it closes it. Blocks. Raises ConfigError and StorageError."""
        return MoobiusStorage(service_id, self.storage, db_config, variant=self.variant)


MEMBERS = SystemDict("members")
HISTORY = SystemDict("history")
HANDLED = SystemDict("handled")
SCREEN = SystemDict("screen")
SENT_FILES = SystemDict("files")
SCHEDULES = SystemDict("schedules")
COOLDOWNS = SystemDict("cooldowns")
VERSIONS = SystemDict("versions")
"""Of which version the values of each declared dict are."""
PRESENCE = SystemDict("presence", is_moved=False)
ROOMS = SystemDict("rooms")
"""The rooms that were bound while the service ran."""
OUTBOX = SystemDict("outbox")
INBOX = SystemDict("inbox")
"""Up to which number the entries of other channels' outboxes were taken."""

SET_ASIDE = SystemDict("set_aside")
"""Records of these dicts that were none, by dict and key."""
READ_MARKS = SystemDict("read_marks")
"""Up to where each room was read, in the words of its network."""
UNFINISHED = SystemDict("unfinished", is_moved=False)
"""What is shown and not over: progress of work beside the channel, and texts that are streamed."""
IGNORED = SystemDict("ignored")
"""Whom each member wants to hear nothing of."""
SETTINGS = SystemDict("settings")
"""What was decided about the channel itself while the service ran."""

OF_CHANNELS = (
    MEMBERS,
    HISTORY,
    HANDLED,
    SCREEN,
    SENT_FILES,
    SCHEDULES,
    COOLDOWNS,
    VERSIONS,
    PRESENCE,
    ROOMS,
    OUTBOX,
    INBOX,
    READ_MARKS,
    UNFINISHED,
    SET_ASIDE,
    SETTINGS,
    IGNORED,
)
"""Those that every channel has."""

MARKS = SystemDict("marks")
"""How far each room has got."""
POSTS = SystemDict("posts")
"""What networks call the newest messages that they got."""
OF_DELIVERIES = (MARKS, POSTS)
"""Those of the deliveries from a channel. They are in a storage of their own, so that the notes of who sends never conflict with a turn."""

AGENTS = SystemDict("agents")
IMPORTED = SystemDict("imported")
"""What was taken over from the Moobius SDK, by the names that its dicts had there."""
SHARED_STORES = SystemDict("shared_stores")
"""The stores of plugins that all channels share, or did at any time, by their names, like `plugin.store`."""
OF_THE_SERVICE = ServiceDicts("agents", (AGENTS, IMPORTED, SHARED_STORES), is_own=True)

SHARED_VARIANT = "store"
"""The variant of the storages of these, of which each has its own, with the store's name in the place of a channel's id."""

MADE_CHANNELS = SystemDict("channels")
"""The channels that were made while the service ran, by id."""
DELETED_CHANNELS = SystemDict("deleted")
"""Those that were deleted and not pruned yet."""
INCARNATIONS = SystemDict("incarnations")
"""How often each id was given to a channel, and which of these the config names."""
OF_THE_REGISTRY = ServiceDicts("channels", (MADE_CHANNELS, DELETED_CHANNELS, INCARNATIONS, SET_ASIDE), is_own=True)


DELIVERIES = "deliveries"
"""The variant of a channel's storage in which its deliveries are."""


def kept_beside(db_config: DbConfig) -> list[dict[str, Any]]:
    """The entry beside which a service keeps its own dicts, as a db config; empty if none of its engines keeps anything."""
    entries = (entry for entry in read_config(db_config, TAKEN_NAMES) if engine_class(entry.implementation).persistent)
    return [{**entry.model_dump(), "load": False, "clear": False} for entry in islice(entries, 1)]


def values_before(name: str, version: int) -> SystemDict:
    """What the values of the dict `name` were like before they were migrated from `version` to the next."""
    return SystemDict(f"{last_part(name)}_before_version_{version + 1}")


def stores_of(storage: MoobiusStorage) -> list[str]:
    """The names of the stores that plugins have declared in this channel at any time. It reads from the engine, which blocks."""
    return [name for name in VERSIONS.of(storage).copy() if is_store_name(name)]


def of_channel(storage: MoobiusStorage) -> list[SystemDict]:
    """All that this channel may have and that can be moved. It reads from the engines, which blocks."""
    return [*(each for each in OF_CHANNELS if each.is_moved), *older_values(storage)]


def older_values(storage: MoobiusStorage) -> list[SystemDict]:
    """Where migrations have kept what there was before them. It reads from the engines, which blocks."""
    versions = VERSIONS.of(storage).copy()
    return [values_before(name, number) for name, version in versions.items() for number in range(1, version)]


def shared_entry(db_config: DbConfig) -> dict[str, Any] | None:
    """The entry beside which a service keeps its own dicts, if other processes can use that engine; None if not."""
    for entry in read_config(db_config, TAKEN_NAMES):
        engine = engine_class(entry.implementation)
        if engine.persistent:
            return {**entry.model_dump(), "load": False, "clear": False} if engine.announces else None
    return None
