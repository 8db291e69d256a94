"""`Moobius`: the service class under the name, and with the calls, that bots of the SDK know."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, is_dataclass
from typing import Any

from mooring.bots.loading import load_plugin
from mooring.bots.messages import Recipients
from mooring.channels.sends import Sends
from mooring.config import PluginEntry
from mooring.events import ButtonClick, Character, Down, MenuItemClick, SimpleAction, UpEvent, copy_with
from mooring.made_channels import ChannelRefused
from mooring.protocols import UnknownChannel
from mooring.sdk.files import Files
from mooring.sdk.groups import ServiceGroupLib
from mooring.sdk.idle import IdleCalls
from mooring.sdk.loguru_bridge import take_over_loguru
from mooring.sdk.network import HttpApi, WsClient
from mooring.sdk.payloads import action_fields, action_of, up_event
from mooring.sdk.tasks import BotTasks
from mooring.types import HEARTBEAT, JOIN, MESSAGE_DOWN, REFRESH, SERVICE, UPDATE, Group
from storage.errors import ConfigError, Fault

log = logging.getLogger(__name__)

_PATIENCE = 1.0
"""Seconds for tasks of the bot to end when the service stops."""


class Moobius(IdleCalls, Files):
    """A service for bots of the SDK: its calls, its scheduler, and files that are uploaded when they are sent.

    What it does not have of the SDK raises NotSupported, which says why.
    """

    service_mode = True
    scheduler: Any = None
    """APScheduler's AsyncIOScheduler, from the start of the service on. Its jobs run outside of events."""

    def __init__(self, *configs: Any, **named: Any) -> None:
        super().__init__(*configs, **named)
        if not self.config["service_config"].get("service_mode", True):
            problem = "is false: a bot that acts as a member has no place here"
            raise ConfigError([Fault("service_config", "", "service_mode", problem, "leave it out; members come in by the page and other gateways")])
        self.group_lib = ServiceGroupLib()
        self._bot_tasks = BotTasks(self)
        self.http_api = HttpApi(self)
        self.ws_client = WsClient(self)

    def open_page_by_default(self, **web: Any) -> None:
        """Start with the page if the config has no list of plugins; `web` is its config. Before `start`."""
        if "plugins" not in self.config["service_config"]:
            self.plugins = self.plugins.with_plugin(load_plugin(PluginEntry(name="web", config=web)))

    def set_up_logging(self) -> None:
        """Send the log of the whole process where the log config says, what is logged with loguru included."""
        super().set_up_logging()
        take_over_loguru()

    async def start(self) -> None:
        """Set up the channels and let members in; returns when that is done. If anything of it fails, everything is closed again."""
        from mooring.sdk.scheduler import Scheduler  # a third of a second, which is for those who have a bot

        self._name_deaf_hooks()
        self._bot_tasks.install(asyncio.get_running_loop())
        self.scheduler = Scheduler()
        self.scheduler.start()
        await super().start()

    async def stop(self) -> None:
        """Let nobody in, finish what is in hand, and close everything. Twice is fine."""
        await self._end_jobs()
        await self._bot_tasks.end(_PATIENCE)
        await super().stop()

    async def cast(self, obj: Any) -> None:
        """Hand any object to `on_spell`."""
        with self._bot_tasks.code_of_bot():
            await super().cast(obj)

    async def _at_start(self, hook: Coroutine[Any, Any, None]) -> None:
        with self._bot_tasks.code_of_bot():
            await super()._at_start(hook)

    async def abandon(self) -> None:
        await self._end_jobs()
        await super().abandon()

    async def _end_jobs(self) -> None:
        if self.scheduler is not None and self.scheduler.running:
            self.scheduler.shutdown(wait=False)
            while self.scheduler.running:  # noqa: ASYNC110 - it cancels them in the event loop, and tells nobody
                await asyncio.sleep(0)

    # -- events ----------------------------------------------------------------------------------------------------------

    async def on_action(self, action_data: dict[str, Any]) -> None:
        """A member did something other than sending a message; calls the hook for it. Override that one rather than this."""
        await super()._act(action_of(action_data))

    async def _act(self, action: ButtonClick | MenuItemClick | SimpleAction) -> None:
        if type(self).on_action is Moobius.on_action:
            await super()._act(action)
        else:
            await self.on_action(action_fields(action))
        if isinstance(action, SimpleAction) and action.subtype == JOIN:
            # As the platform's page asks for when a channel is opened: bots send their buttons then, and nowhere else.
            await super()._act(copy_with(action, subtype=REFRESH))

    async def handle_received_payload(self, payload: str | bytes | Mapping[str, Any]) -> None:
        """Hand in what a member did, as a payload of the platform: JSON or a dict. Raises ValueError for one that lacks something."""
        fields = payload if isinstance(payload, Mapping) else json.loads(payload)
        try:
            event: UpEvent | None = up_event(fields, self._named_in(fields.get("body") or {}))
        except (KeyError, TypeError) as error:
            raise ValueError(f"the payload {str(fields)[:200]} lacks something: {error}") from error
        if event is None:
            await self.on_unknown_payload(dict(fields))
        else:
            await self.submit(event)

    def _named_in(self, body: Mapping[str, Any]) -> list[str] | None:
        """For whom a payload is; the SDK means nobody by an empty list, which for an event is everybody."""
        recipients = body.get("recipients")
        if recipients is None:
            return None
        ids = self.group_lib.characters(recipients) if isinstance(recipients, str) and recipients != SERVICE else recipients
        return [SERVICE] if ids in (SERVICE, []) else list(ids)

    async def _post(self, channel_id: str, act: Callable[[Sends], object]) -> None:
        try:
            await super()._post(channel_id, act)
        except UnknownChannel:
            # The platform would answer so, and nothing else would come of it.
            log.error(  # noqa: TRY400 - where it came from is the bot's code, which goes on
                "what was sent to the channel %r is lost, as there is none of this id", channel_id
            )

    # -- senders ---------------------------------------------------------------------------------------------------------

    async def send(self, payload_type: str, payload_body: Any) -> None:
        """Send a payload of the platform: a `message_down`, an `update`, or a `heartbeat`. Raises ValueError for any other."""
        body = asdict(payload_body) if is_dataclass(payload_body) and not isinstance(payload_body, type) else payload_body
        if payload_type == HEARTBEAT:
            await self.send_heartbeat()
        elif payload_type == MESSAGE_DOWN:
            await self.send_message({**body, "recipients": self._group_or_ids(body.get("recipients"))})
        elif payload_type == UPDATE:
            await self.send_update(body)
        else:
            raise ValueError(f"send takes message_down, update and heartbeat, and no {payload_type!r}")

    async def send_update(self, data: Any, target_client_id: Any = "", channel_id: str = "", recipients: Recipients | None = None) -> Any:
        """Show an update, given as in the SDK (a dict with `subtype`, `channel_id`, `content` and `recipients`), or by its kind and its items."""
        if isinstance(data, str):
            return await super().send_update(data, target_client_id, channel_id, recipients)
        return await super().send_update(data["subtype"], data["content"], data["channel_id"], self._group_or_ids(data.get("recipients")))

    def _group_or_ids(self, recipients: Any) -> Any:
        known = isinstance(recipients, str) and (recipients in self.group_lib.id2ids_mdown or recipients in self.group_lib.id2ids_mup)
        return self.group_lib.characters(recipients) if known else recipients

    # -- characters, groups and channels ---------------------------------------------------------------------------------

    async def create_agent(self, name: str, avatar: str | None = None, description: str | None = "No description") -> Character:
        """Make a character that no person plays; its id can be the sender of messages in every channel. `avatar` is an address or a file."""
        return await super().create_agent(name, await self._address_if_any(avatar), description)

    async def update_agent(self, character: str | Character, avatar: str | None, description: str | None, name: str) -> dict[str, Any]:
        """Change what an agent is called and looks like, from its next message on. Raises ValueError if it is no agent."""
        agent_id = character if isinstance(character, str) else character.character_id
        return asdict(await self._agents.update(agent_id, name, await self._address_if_any(avatar), description))

    async def create_channel_group(self, channel_id: str, group_name: str, characters: Recipients) -> Group:
        """Put characters of a channel under one id."""
        return self.group_lib.add(characters, channel_id, group_name)

    async def create_service_group(self, characters: Recipients) -> Group:
        """Put characters under one id."""
        return self.group_lib.add(characters)

    async def character_ids_of_channel_group(self, sender_id: str, channel_id: str, group_id: str | None) -> list[str]:
        """Who is in a group; nobody if there is none."""
        return self.group_lib.characters(group_id)

    async def character_ids_of_service_group(self, group_id: str | None) -> list[str]:
        """Who is in a group; nobody if there is none."""
        return self.group_lib.characters(group_id)

    async def fetch_channel_group_list(self, channel_id: str) -> list[dict[str, Any]]:
        """The groups of a channel, each with `group_id`, `group_name` and `characters`."""
        groups = self.group_lib.of_channel(channel_id)
        return [{"group_id": each, "group_name": name, "characters": self.group_lib.characters(each)} for each, name in groups.items()]

    async def fetch_channel_temp_group(self, channel_id: str) -> list[dict[str, Any]]:
        """The groups of the platform's own; there are none."""
        return []

    async def fetch_channel_list(self) -> list[str]:
        """The ids of all channels."""
        return list(dict.fromkeys([*self._configured, *self.channel_ids()]))

    async def _messages_of(self, channel_id: str) -> Sequence[Down]:
        if channel_id in self._hosted or not self.has_channel(channel_id):
            return self._channel(channel_id).state.history.messages()
        return await self._last_known.messages(channel_id, self.config["db_config"], self._limits.history_length)

    async def fetch_popular_channels(self) -> list[str]:
        """The ids of all channels."""
        return await self.fetch_channel_list()

    async def fetch_bound_channels(self) -> list[str]:
        """The ids of all channels."""
        return await self.fetch_channel_list()

    async def true_channel_list(self) -> list[str]:
        """The ids of all channels."""
        return await self.fetch_channel_list()

    async def fetch_service_id_list(self) -> list[dict[str, Any]]:
        """This service and its channels."""
        return [{"service_id": self.client_id, "channel_ids": await self.fetch_channel_list()}]

    async def fetch_service_id_each_channel(self) -> dict[str, str]:
        """To which service each channel belongs."""
        return dict.fromkeys(await self.fetch_channel_list(), self.client_id)

    async def bind_service_to_channel(self, channel_id: str) -> bool:
        """Let members into a channel of this service, if nobody comes in; False if it has none of this id."""
        if self.has_channel(channel_id):
            return True
        if all(made.id != channel_id for made in await self.made_channels()):
            return False
        with suppress(ChannelRefused):  # it was opened meanwhile
            await self.open_channel(channel_id)
        return True

    async def unbind_service_from_channel(self, channel_id: str) -> None:
        """Archive a channel that was made at run time. Raises ChannelRefused for any other."""
        await self.archive_channel(channel_id)

    async def fetch_message_history(self, channel_id: str, limit: int | str = 1024, before: str = "null") -> list[dict[str, Any]]:
        """The last `limit` messages that are kept, oldest first, as dicts; `before` is a message id or a time in milliseconds."""
        bodies = [down.body for down in await self._messages_of(channel_id)]
        places = [place for place, body in enumerate(bodies) if body.message_id == before]
        if places:
            bodies = bodies[: places[0]]
        elif str(before).isdecimal():
            bodies = [body for body in bodies if body.timestamp < int(before)]
        return [asdict(body) for body in bodies[max(0, len(bodies) - int(limit)) :]]
