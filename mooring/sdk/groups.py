"""Groups of characters under one id, in memory. Nothing here needs them: recipients are ids and Characters wherever they are asked for."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from typing import Any, ClassVar

from mooring.sdk.surface import GROUP_LIB, HasSurface, Surface
from mooring.types import Group, to_char_id_list

log = logging.getLogger(__name__)


class ServiceGroupLib(HasSurface):
    """The groups that a bot made, those of the service and those of channels."""

    surface: ClassVar[Surface] = GROUP_LIB

    def __init__(self) -> None:
        self.id2ids_mdown: dict[str, list[str]] = {}
        """The groups of the service: id to character ids."""
        self.ids2id_mdown: dict[str, str] = {}
        self.id2ids_mup: dict[str, list[str]] = {}
        """The groups of channels."""
        self.ids2id_mup: dict[str, str] = {}
        self._channels: dict[str, dict[str, str]] = {}
        """Per channel the names of its groups, by id."""

    async def convert_list(self, http_api: Any, character_ids: Any, is_message_down: bool, channel_id: str | None = None) -> str | None:
        """The id of the group of these characters, which is made if there is none yet; None if they are nobody."""
        ids = to_char_id_list(character_ids)
        if not ids:
            return None
        known = self.ids2id_mdown if is_message_down else self.ids2id_mup
        found = known.get("_".join(ids))
        if found is not None:
            return found
        if is_message_down:
            return self.add(ids).group_id
        if not channel_id:
            raise ValueError("convert_list needs a channel_id where is_message_down is False")
        return self.add(ids, channel_id).group_id

    def add(self, characters: Any, channel_id: str | None = None, name: str = "") -> Group:
        """Make a group, of the service or of a channel."""
        group = Group(f"group-{secrets.token_hex(8)}", to_char_id_list(characters))
        ids, known = (self.id2ids_mdown, self.ids2id_mdown) if channel_id is None else (self.id2ids_mup, self.ids2id_mup)
        ids[group.group_id] = group.character_ids
        known["_".join(group.character_ids)] = group.group_id
        if channel_id is not None:
            self._channels.setdefault(channel_id, {})[group.group_id] = name
        return group

    def of_channel(self, channel_id: str) -> Mapping[str, str]:
        """The names of a channel's groups, by id."""
        return self._channels.get(channel_id, {})

    def characters(self, group_id: str | None) -> list[str]:
        """Who is in a group; nobody if there is no such group."""
        if not group_id or group_id in {"None", "none", "null", "Null", "false", "False"}:
            return []
        found = self.id2ids_mdown.get(group_id) or self.id2ids_mup.get(group_id)
        if found is None:
            log.warning("there is no group %.80r", group_id)
        return list(found or ())
