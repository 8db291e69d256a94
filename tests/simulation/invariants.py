"""What has to be true of a service at every moment, and over its deaths."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mooring import Acknowledgement, Down, MessageBody, ServiceError, UpEvent
from mooring.channels.answers import BUSY, UNAVAILABLE
from mooring.channels.turn_taking import FEW
from tests.simulation.plugins.market import PURSE

if TYPE_CHECKING:
    from mooring import MoobiusStorage
    from tests.simulation.machine import Machine
    from tests.simulation.members import SimulatedGateway
    from tests.simulation.sites import Site
    from tests.simulation.world import World

_FULL_CHECK = 0.1
_DICTS = ("done", "gold", "totals", "journal", "planned", "energy_bars")


class Invariants:
    """Notes what goes in and comes out, and holds it against what is kept."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.answers = 0
        self._asked: dict[str, UpEvent] = {}
        self._ok: dict[str, str] = {}
        """The channel of each event that was acknowledged as done."""
        self._refused: set[str] = set()
        self._put_off: set[str] = set()
        """What was not done, or may not have been. Sent again it is done, perhaps after what its member asked for later."""
        self._told: dict[str, dict[str, tuple[int, str | None]]] = {}
        """By channel and message id: the newest number and text that left the service."""
        self._takers: dict[str, set[str]] = {}
        """The processes that were given an event."""
        self._entered: Counter[tuple[str, str]] = Counter()
        self._answered: dict[tuple[str, ...], int] = {}
        """The newest place that was answered, in each channel and of each member there."""
        self._open: Counter[tuple[str, str]] = Counter()
        """How many events of a channel were taken and not answered."""
        self._crowded: set[tuple[str, str]] = set()
        """Channels where so many wait, or have waited since all was answered, that members take turns."""

    # -- what happens ----------------------------------------------------------------------------------------------------

    def asked(self, event: UpEvent) -> None:
        """A member begins to ask for something."""
        self._asked[event.request_id] = event

    def entered(self, gateway: SimulatedGateway, event: UpEvent) -> int:
        """An event was taken; the result is its place in its channel's order."""
        self._world.note("in", gateway.name, event.request_id)
        self._takers.setdefault(event.request_id, set()).add(gateway.name)
        place = (gateway.name, event.channel_id)
        self._entered[place] += 1
        self._open[place] += 1
        if self._open[place] > FEW:
            self._crowded.add(place)
        return self._entered[place]

    def answered(self, gateway: SimulatedGateway, event: UpEvent, order: int, answer: Acknowledgement | None, error: Any) -> None:
        """An answer leaves."""
        world, request = self._world, event.request_id
        world.note("out", gateway.name, request, answer and (answer.ok, answer.message.partition("(")[0], answer.repeated), type(error).__name__)
        self.answers += 1
        in_turns = self._close(gateway, event)
        if answer is None:
            world.check(error is None or isinstance(error, ServiceError), f"{request} ended in {error!r}")
            self._put_off.add(request)
            return
        channel = (gateway.name, event.channel_id)
        for place, is_in_order in ((channel, not in_turns), ((*channel, event.member_id), True)):
            newest = self._answered.get(place, 0)
            world.check(order > newest or not is_in_order, f"{request} was answered before one that came in earlier")
            self._answered[place] = max(order, newest)
        if answer.ok:
            world.check(request not in self._refused, f"{request} was refused, and done later")
            self._ok[request] = event.channel_id
        elif answer.message in {UNAVAILABLE, BUSY}:
            self._put_off.add(request)
        else:
            self._refused.add(request)
        storage = gateway.storage(event.channel_id)
        if storage is None:
            return
        done = gateway.site.kept(storage, "done")
        if answer.ok and self._is_noted(request):
            world.check(request in done, f"{request} was acknowledged, and is not kept")
        # One process cannot know, while storage is away, what became of the same event in another.
        if not answer.ok and (request not in self._put_off or len(self._takers[request]) == 1):
            world.check(request not in done, f"{request} was refused ({answer.message}), and is kept")
        if world.random.random() < _FULL_CHECK:
            self.state(gateway.site, storage)

    def _close(self, gateway: SimulatedGateway, event: UpEvent) -> bool:
        """Count an event as answered; whether it may have been overtaken by others', as members took turns."""
        place = (gateway.name, event.channel_id)
        in_turns = place in self._crowded
        self._open[place] -= 1
        if not self._open[place]:
            self._crowded.discard(place)
        return in_turns

    def delivered(self, gateway: SimulatedGateway, channel_id: str, downs: Sequence[Down]) -> None:
        """Something leaves for the members."""
        told = self._told.setdefault(channel_id, {})
        for down in downs:
            if down.type == "message_down" and down.number:
                text = down.body.content.text
                self._world.note("down", gateway.name, down.number, text)
                self._world.check("never seen" not in (text or ""), "what was undone was told")
                gateway.count(channel_id, down.number)
                known = told.get(down.body.message_id)
                if known is None or known[0] < down.number:
                    told[down.body.message_id] = (down.number, text)
                elif known[0] == down.number and not self._world.is_shared:
                    # Who hears of a message and of its edit together is shown the newest of it, where it stands.
                    self._world.check(known[1] == text, f"number {down.number} was told as {known[1]!r} and as {text!r}")

    # -- what is kept ----------------------------------------------------------------------------------------------------

    def opened(self, machine: Machine) -> None:
        """A service has come up: what was told before is there."""
        for storage in machine.service.channels.values():
            self.state(machine.site, storage)
            self._history(machine.site, storage)

    def state(self, site: Site, storage: MoobiusStorage) -> None:
        """The dicts of one channel as they are kept now."""
        check = self._world.check
        done, gold, totals, journal, planned, bars = (site.kept(storage, name) for name in _DICTS)
        check(sum(gold.values()) == totals.get("gold", 0), f"the gold does not add up: {gold}, {totals}")
        check(len(gold) * PURSE == totals.get("gold", 0), f"a purse was given twice: {gold}, {totals}")
        for request, what in done.items():
            check(len(what) == 1, f"{request} was done more than once: {what}")
            check(request in self._asked and what != ["fail"], f"nobody asked for {request}: {what}")
            check(request not in self._refused, f"{request} was refused, and is kept")
        for request, channel_id in self._ok.items():
            if channel_id == storage.channel_id and self._is_noted(request):
                check(request in done, f"{request} was acknowledged, and is lost")
        hits = sum(what == ["hit"] for what in done.values())
        check(hits == totals.get("hits", 0), f"{hits} hits were done, and {totals.get('hits', 0)} counted")
        energy = sum(bar.maximum - bar.level for bar in bars.values())
        check(hits == energy, f"{hits} hits were done, and {energy} points of energy are gone")
        listed = [request for mine in journal.values() for request in mine]
        check(sorted(listed) == sorted(done), f"the journal lists {sorted(listed)}, and done are {sorted(done)}")
        for member_id, mine in journal.items():
            places = [int(request.rpartition("-")[2]) for request in mine if request not in self._put_off]
            check(places == sorted(places), f"what {member_id} did is out of order: {mine}")
        check(set(planned) == {request for request, what in done.items() if what == ["later"]}, "what is planned is not what was asked for")
        for request, plan in planned.items():
            check(plan["left"] + plan["ran"] == 1 and plan["left"] in {0, 1}, f"what {request} planned ran {plan['ran']} times")

    def finished(self, machine: Machine) -> None:
        """All clients are done, and all that was planned is due: nothing is left to do."""
        self.opened(machine)
        service, check = machine.service, self._world.check
        for storage in service.channels.values():
            done, planned, notes = (machine.site.kept(storage, name) for name in ("done", "planned", "notes"))
            for request, plan in planned.items():
                check(plan["ran"] == 1, f"what {request} planned never ran")
            messages = {message_id: text for message_id, (_, text) in _messages(machine.site, storage).items()}
            texts = Counter(messages.values())
            for request, what in done.items():
                if what[0] not in {"whisper", "write", "edit"}:
                    check(texts[f"done {request}"] == 1, f"the reply to {request} is kept {texts[f'done {request}']} times")
                if what[0] == "later":
                    check(texts[f"due {request}"] <= 1, f"what {request} planned is kept {texts[f'due {request}']} times")
            for member_id, note in notes.items():
                check(messages.get(note["id"]) == note["text"], f"the note of {member_id} is not what was written")
        self._sent(machine)
        for client in self._world.clients:
            seen = {message_id: text for message_id, (_, text) in client.messages.items()}
            kept = {down.body.message_id: down.body.content.text for down in service.history(client.channel_id, client.member_id, limit=1_000_000)}
            check(seen == kept, f"{client.member_id} has seen {_difference(seen, kept)}")
            for request, answer in client.answers.items():
                if answer.ok:
                    check(request in self._ok, f"{client.member_id} heard that {request} was done, which nobody said")

    def _sent(self, machine: Machine) -> None:
        """What channels sent to each other has arrived once, or come back once, and nothing waits any more."""
        check, storages = self._world.check, machine.service.channels
        for storage in storages.values():
            for request, sent in machine.site.kept(storage, "sent").items():
                other = storages.get(sent["to"])
                arrived = [] if other is None else machine.site.kept(other, "arrived").get(request, [])
                is_wanted = other is not None and sent["amount"] % 4 != 0
                check(arrived == ([sent["amount"]] if is_wanted else []), f"{request} sent {sent}, and {arrived} arrived")
                check(sent.get("returned", 0) == (0 if is_wanted else 1), f"{request} sent {sent}, which came back {sent.get('returned', 0)} times")
        waiting = {name: list(values) for name, _, values in machine.service._deliveries.readings()}["mooring_outbox_entries"]
        check(all(count == 0 for _, count in waiting), f"still to be sent are {waiting}")

    def _history(self, site: Site, storage: MoobiusStorage) -> None:
        """Nothing was told that is not kept, and everything that was told is kept as it was told."""
        check = self._world.check
        messages = _messages(site, storage)
        for message_id, (number, text) in self._told.get(storage.channel_id, {}).items():
            newest, now = messages.get(message_id, (0, None))
            check(newest >= number, f"message {number} ({text!r}) was told, and the newest of it that is kept is {newest} ({now!r})")
            check(newest != number or now == text, f"message {number} was told as {text!r} and is kept as {now!r}")
        last = site.kept(storage, "_history").get("last", 0)
        check(last >= max((number for number, _ in messages.values()), default=0), "the counter is behind the messages")

    def _is_noted(self, request: str) -> bool:
        event = self._asked.get(request)
        if event is None or event.type == "join":
            return False
        return not isinstance(event.body, MessageBody) or (event.body.content.text or "").startswith("/")


def _messages(site: Site, storage: MoobiusStorage) -> dict[str, tuple[int, str | None]]:
    """The kept messages by id, with the number of what was done to each last."""
    records = {int(key): record for key, record in site.kept(storage, "_history").items() if key.isdecimal()}
    bodies = {number: record["body"] for number, record in records.items()}
    return {body["message_id"]: (records[number].get("edited") or number, body["content"].get("text")) for number, body in bodies.items()}


def _difference(seen: dict[str, str | None], kept: dict[str, str | None]) -> str:
    more = {key: seen[key] for key in seen if key not in kept or kept[key] != seen[key]}
    less = {key: kept[key] for key in kept if key not in seen or kept[key] != seen[key]}
    return f"{more}, where {less} is kept"
