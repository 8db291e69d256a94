"""What gateways and plugins ask a running service."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from mooring.channels.channel import HostedChannel
from mooring.channels.gauges import Read
from mooring.channels.metrics import Metrics
from mooring.channels.turn import current_turn
from mooring.clock import Clock
from mooring.commands.command import CommandTable
from mooring.events import ChannelInfo, Character, Down
from mooring.gateways.deliveries import Deliveries
from mooring.gateways.delivery import Gateways
from mooring.kinds import CHARACTER_KINDS
from mooring.names import NameIndex
from mooring.protocols import CharacterPage, Gateway, MemberChanges, NetworkGateway, UnknownChannel
from mooring.roles import Standing
from mooring.service import status
from mooring.service.health import health
from mooring.service.hooks import Hooks
from mooring.service.incidents import Incidents
from mooring.service.plugin_checks import Check, PluginChecks
from mooring.service.probes import EngineProbes
from mooring.service.tasks import Tasks
from mooring.settings import Settings
from mooring.threads import Threads


class Queries(Hooks):
    """The part of the Service protocol that only looks, and the gateways' coming and going."""

    _hosted: dict[str, HostedChannel]
    _process_id: str
    _settings: Settings
    _reserved_names: Collection[str]
    _closing: set[str]
    """Channels that take nothing new, as they are about to be closed."""
    _gateways: Gateways
    _deliveries: Deliveries
    _metrics: Metrics
    _clock: Clock
    _threads: Threads
    _up: asyncio.Event
    _tasks: Tasks
    _incidents: Incidents
    _probes: EngineProbes
    _checks: PluginChecks

    @property
    def client_id(self) -> str:
        """The `service_id`, by the name that the SDK gives it."""
        return self.service_id

    @property
    def commands(self) -> CommandTable:
        """All commands of all loaded plugins."""
        return self.plugins.table

    def attach(self, gateway: Gateway | NetworkGateway) -> None:
        """Deliver to this gateway from now on. Raises ValueError if its network has one already, or a name that cannot be."""
        self._gateways.attach(gateway)
        if isinstance(gateway, NetworkGateway):
            self._deliveries.rouse(gateway.network)

    def detach(self, gateway: Gateway | NetworkGateway) -> None:
        """Deliver to this gateway no more."""
        self._gateways.detach(gateway)

    def addresses(self) -> list[str]:
        """Where members find the service, one address a gateway."""
        return self._gateways.addresses()

    def channel_ids(self) -> Sequence[str]:
        """The channels that are open here: those of the config in its order, then those that were made at run time."""
        return tuple(channel_id for channel_id in self._hosted if channel_id not in self._closing)

    def channel_info(self, channel_id: str) -> ChannelInfo:
        """What a channel is called and what it is for."""
        return self._channel(channel_id).info

    def plugin_names(self, channel_id: str) -> Collection[str]:
        """The plugins that serve the channel, in their order."""
        return self._channel_plugins(channel_id).loaded

    def reserved_names(self) -> Collection[str]:
        """Names that nobody may pick, besides those of the people in charge: what the config says, and what agents are called."""
        return [*self._reserved_names, *(agent.name for agent in self._agents.all())]

    def guest_seconds(self) -> float:
        """For how long a guest who stays away is known by name."""
        return self._settings.service.guest_days * 86_400

    def standing(self, channel_id: str, member_id: str) -> Standing | None:
        """How a member came into the channel, None for a stranger."""
        turn = current_turn()
        if turn is not None and turn.open and turn.channel_id == channel_id:
            return turn.members.standing(member_id, turn.clock())
        return self._channel(channel_id).state.members.standing(member_id, self._clock())

    def access(self, channel_id: str) -> Literal["open", "token"]:
        """Whether whoever picks a name comes into the channel, or only who was given a token."""
        return self._channel(channel_id).config.access

    def members(self, channel_id: str) -> Mapping[str, Character]:
        """Everybody who has joined, by id; `character_context["online"]` tells who is here now."""
        turn = current_turn()
        if turn is not None and turn.open and turn.channel_id == channel_id:
            return turn.members
        return self._channel(channel_id).state.members

    def characters(self, channel_id: str, member_id: str, *, prefix: str = "", after: str = "", limit: int = 100) -> CharacterPage:
        """Characters whom a member is shown, by name: those whose names begin with `prefix`, after where an earlier page ended."""
        return self._channel(channel_id).member_updates.page(member_id, prefix, after, limit)

    def member_changes(self, channel_id: str, since: int = -1) -> MemberChanges:
        """Who joined, left, changed name or role, came online or went, since a `number` that was given before."""
        log = self._channel(channel_id).state.members.log
        return MemberChanges(log.number, log.since(since))

    def present_count(self, channel_id: str) -> int:
        """How many members of a channel are here now."""
        return len(self._channel(channel_id).state.members.present())

    def member_names(self, channel_id: str) -> NameIndex:
        """The names of a channel's members, to be asked which look alike, and not to be changed."""
        return self._channel(channel_id).state.members.names

    def agent(self, character_id: str) -> Character | None:
        """The character with this id that no person plays, None if it is none."""
        return self._agents.get(character_id)

    def history(self, channel_id: str, member_id: str, *, after: int = 0, before: int | None = None, limit: int = 50) -> list[Down]:
        """Numbered downs that this member may see, oldest first: all after `after`, or the last `limit` before `before`."""
        state = self._channel(channel_id).state
        return state.history.find(member_id, after=after, before=before, limit=limit, ignored=state.ignores.of(member_id))

    def current(self, channel_id: str, member_id: str) -> list[Down]:
        """The updates that draw the whole state for one member."""
        return self._channel(channel_id).current(member_id)

    def first_number(self, channel_id: str) -> int:
        """The number of the oldest kept message, 0 if there is none."""
        return self._channel(channel_id).state.history.first

    def last_number(self, channel_id: str) -> int:
        """The number of the newest message, 0 if there was none yet."""
        return self._channel(channel_id).state.history.last

    def was_handled(self, channel_id: str, member_id: str, request_id: str) -> bool:
        """Whether an event was handled before, as far as this process has heard."""
        return not self._channel(channel_id).state.handled.is_new(member_id, request_id)

    def queue_depth(self, channel_id: str) -> int:
        """How many events wait."""
        return self._channel(channel_id).queue.depth

    def last_commit(self, channel_id: str) -> float | None:
        """When the channel's newest commit was acknowledged, by the service's clock; None if there was none since the start."""
        return self._channel(channel_id).state.last_commit

    def file(self, channel_id: str, token: str) -> Path | None:
        """A file that was sent in the channel, by the token in its address; None if there is none, or no such channel."""
        hosted = self._hosted.get(channel_id)
        return None if hosted is None else hosted.state.sent_files.find(token)

    def presence(self, channel_id: str, member_id: str, online: bool, session: Hashable = "") -> None:
        """Tell the channel that a session of a member came or went: one connection, window or device, named by its gateway."""
        channel = self._channel(channel_id)
        if channel.state.members.connected(member_id, online, session) and self._gateways.want(CHARACTER_KINDS):
            self._gateways.deliver(channel_id, channel.member_updates.changes())

    def wants_refresh(self, channel_id: str) -> bool:
        """Whether somebody handles it when a member comes back: a plugin's `on_refresh`, or a service that overrides the hook."""
        cls = type(self)
        is_overridden = cls.on_refresh is not Hooks.on_refresh or cls.do_member_sync is not Hooks.do_member_sync
        return is_overridden or bool(self._channel_plugins(channel_id).hooks("on_refresh"))

    def process_id(self, channel_id: str) -> str:
        """What this process is called in what it keeps of a channel; another one after each start."""
        presence = self._channel(channel_id).state.presence
        return self._process_id if presence is None else presence.key

    def show(self, down: Down) -> None:
        """Deliver one down at once, uncommitted. From any thread."""
        self._gateways.show(down)

    def health(self) -> dict[str, Any]:
        """JSON-ready facts: `ready`, `problems` in words, and per channel its storage, queue and last commit. Blocks: call it in a thread."""
        problems = [] if self._up.is_set() else ["the service is not up"]
        problems += [*self._tasks.problems(), *self._checks.problems()]
        notes = [*self.plugins.runtime.stuck.problems(), *self._incidents.recent(), *self._deliveries.problems()]
        return health(dict(self._hosted), self._clock(), problems, notes, self._probes)

    async def status(self, channel_id: str | None = None) -> dict[str, Any]:
        """What `mooring status` shows, of one channel or of all. Raises CommandError if the channel is not open here."""
        told = status.chosen(self._hosted, channel_id)

        def look() -> tuple[dict[str, Any], dict[str, dict[str, int]]]:
            return self.health(), {each: status.planned(channel.storage) for each, channel in told.items()}

        facts, schedules = await self._threads.run(look, name="status")
        gateways = {"gateways": self._gateways.names(), "addresses": self.addresses(), "plugins": list(self.plugins.loaded)}
        described = status.describe(told, self._hosted, facts, schedules, deliveries=self._deliveries, now=self._clock())
        return {"service_id": self.service_id, **gateways, **described}

    def gauge(self, name: str, explanation: str, label: str, read: Read) -> None:
        """Put a gauge of a plugin on the page of metrics. Raises PluginError for a name that cannot be."""
        self._metrics.plugin_gauges.add(name, explanation, label, read)

    def health_check(self, name: str, check: Check) -> None:
        """Ask `check`, in a thread, whenever somebody asks whether the service is ready; it returns what is wrong, or None."""
        self._checks.add(name, check)

    def metrics_page(self) -> bytes:
        """What the service and its plugins measure, in the text format of Prometheus. Blocks: call it in a thread."""
        return self._metrics.page()

    def _channel(self, channel_id: str) -> HostedChannel:
        try:
            return self._hosted[channel_id]
        except KeyError:
            raise UnknownChannel(channel_id) from None
