"""Bars that a plugin declares: what they are called, where they are kept, and how they look."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from mooring.bars.bar import Bar
from mooring.errors import PluginError
from mooring.events import Character
from storage import CachedDict
from storage.dicts.peek import peek
from storage.errors import StorageError

if TYPE_CHECKING:
    from storage import MoobiusStorage

logger = logging.getLogger(__name__)

_Shown = dict[str, Any]


@dataclass(frozen=True)
class BarSpec:
    """A bar that everybody in a channel has, or that the channel has (`owner="channel"`): a boss, a common store.

    It is kept in the channel's dict named `dict`, by member id, and appears in the page by itself: beside its member, or, if it is
    the channel's, beside its label from its first use on.
    """

    name: str
    dict: str
    label: str = ""
    maximum: int = 100
    start: int | None = None
    """What a new bar holds; the maximum if left out."""
    regain_per_minute: int | float = 0
    colour: str = ""
    owner: Literal["member", "channel"] = "member"

    def new(self) -> Bar:
        """A bar as a newcomer has it."""
        return Bar(self.maximum if self.start is None else self.start, self.maximum, self.regain_per_minute)

    def of(self, storage: MoobiusStorage, owner_id: str = "") -> Bar:
        """The bar of one member or of the channel, to be changed in place; made and kept if there is none yet."""
        kept, key = self.kept_in(storage), self.key(owner_id)
        found = kept.get(key)
        if not isinstance(found, Bar):
            kept[key] = self.new() if found is None else self._as_bar(found, owner_id)
            found = kept[key]
        bar: Bar = found
        return bar

    def peek(self, storage: MoobiusStorage, owner_id: str = "") -> Bar:
        """The bar of one member or of the channel, only to look at; what is done to it is not kept."""
        found = peek(self.kept_in(storage), self.key(owner_id))
        return self.new() if found is None else self._as_bar(found, owner_id)

    def key(self, owner_id: str = "") -> str:
        """Where the dict keeps the bar: by the member's id, or by a key that is no member's."""
        return owner_id if self.owner == "member" else f"channel {self.name}"

    @property
    def entry_id(self) -> str:
        """The id of a channel's bar in the list of characters."""
        return f"bar-{self.name}"

    def shown(self, storage: MoobiusStorage, owner_id: str = "") -> _Shown:
        """The bar as updates carry it."""
        bar = self.peek(storage, owner_id)
        shown: _Shown = {"name": self.name, "label": self.label or self.name, "value": bar.value, "maximum": bar.maximum}
        if self.colour:
            shown["colour"] = self.colour
        if bar.regain_per_minute:
            shown["regain_per_minute"] = bar.regain_per_minute
        return shown

    def kept_in(self, storage: MoobiusStorage) -> CachedDict:
        """The dict that keeps the bars. Raises PluginError if the channel has none of that name."""
        kept = getattr(storage, self.dict, None)
        if not isinstance(kept, CachedDict):
            raise PluginError(f"bar {self.name} is kept in a dict named {self.dict}, which the db config does not have; add an entry with this name")
        return kept

    def _as_bar(self, found: object, owner_id: str) -> Bar:
        if isinstance(found, Bar):
            return found
        if type(found) is not int:
            raise PluginError(f"{self.dict}[{self.key(owner_id)!r}] holds a {type(found).__name__}, which is no bar")
        # Bots written for the Moobius SDK keep plain numbers.
        bar = self.new()
        bar.value = found
        return bar


def bars_of(specs: Iterable[BarSpec], storage: MoobiusStorage, member_id: str) -> list[dict[str, Any]]:
    """All bars of one member, as `character_context["bars"]` carries them; one that cannot be read is left out."""
    return [shown for spec in specs if spec.owner == "member" and (shown := _shown(spec, storage, member_id)) is not None]


def channel_bar(spec: BarSpec, storage: MoobiusStorage) -> Character | None:
    """A bar of the channel itself as an entry in the list of characters; None if it is not in use or cannot be read."""
    shown = _shown(spec, storage, is_kept=True)
    context = {"agent": True, "online": True, "channel": True, "bars": [shown]}
    return None if shown is None else Character(spec.entry_id, spec.label or spec.name, character_context=context)


def _shown(spec: BarSpec, storage: MoobiusStorage, owner_id: str = "", *, is_kept: bool = False) -> _Shown | None:
    """A bar as updates carry it; None if it cannot be read, or has to be kept and is not."""
    try:
        return None if is_kept and spec.key(owner_id) not in spec.kept_in(storage) else spec.shown(storage, owner_id)
    except (PluginError, StorageError) as error:
        # Whoever uses it is told; a broken bar must not hide the others.
        logger.debug("bar %s of %s is not shown: %s", spec.name, owner_id or "the channel", error)
        return None
