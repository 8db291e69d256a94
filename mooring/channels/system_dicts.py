"""The dicts that the service keeps for itself, beside those of plugins: the one list of all of them.

A system dict is opened through its entry here and nowhere else, so that migration, which goes by this list, can forget none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from storage import CachedDict, MoobiusStorage
from storage.db_config import DbConfig, read_config
from storage.engines import engine_class
from storage.moobius_storage import TAKEN_NAMES


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

    A plugin that keeps some declares them in its module as `SERVICE_DICTS`, and so they move with the rest.
    """

    storage: str
    """What their storage is called, in the place of a channel's id."""
    dicts: tuple[SystemDict, ...]
    is_secret: bool = False
    """Whether they hold keys, which move only from one server to another and never into files that others may read."""


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

OF_CHANNELS = (MEMBERS, HISTORY, HANDLED, SCREEN, SENT_FILES, SCHEDULES, COOLDOWNS, VERSIONS, PRESENCE, ROOMS, OUTBOX, INBOX)
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
OF_THE_SERVICE = ServiceDicts("agents", (AGENTS, IMPORTED))


def deliveries_of(channel_id: str) -> str:
    """What the storage of a channel's deliveries is called, in the place of a channel's id."""
    return f"{channel_id}/deliveries"


def values_before(name: str, version: int) -> SystemDict:
    """What the values of the dict `name` were like before they were migrated from `version` to the next."""
    return SystemDict(f"{name}_before_version_{version + 1}")


def of_channel(storage: MoobiusStorage) -> list[SystemDict]:
    """All that this channel may have and that can be moved. It reads from the engines, which blocks."""
    versions = VERSIONS.of(storage).copy()
    older = [values_before(name, number) for name, version in versions.items() for number in range(1, version)]
    return [*(each for each in OF_CHANNELS if each.is_moved), *older]


def shared_entry(db_config: DbConfig) -> dict[str, Any] | None:
    """The entry beside which a service keeps its own dicts, if other processes can use that engine; None if not."""
    for entry in read_config(db_config, TAKEN_NAMES):
        engine = engine_class(entry.implementation)
        if engine.persistent:
            return {**entry.model_dump(), "load": False, "clear": False} if engine.announces else None
    return None
