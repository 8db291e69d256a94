"""`mooring history`: what was changed in a channel, when, by whom and by which command."""

from __future__ import annotations

import heapq
import json
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any

import typer

from mooring.channels.system_dicts import MEMBERS, SHARED_VARIANT
from mooring.cli.operating import read_service
from mooring.cli.options import CONFIG, DB_CONFIG, FAILED, FAULTY_CONFIG, ConfigFile, DbConfigFile, fault
from mooring.durations import parse_duration
from mooring.service.backup_places import Places
from mooring.text import clip
from storage.db_config import read_config
from storage.domains import domain_of, last_part
from storage.encoding import codec
from storage.errors import ConfigError, StorageError
from storage.json.inspection import read_dict
from storage.json.past import PastChange, past
from storage.moobius_storage import TAKEN_NAMES

_LONGEST_VALUE = 100


def add_history(app: typer.Typer) -> None:
    """Let the command line tell what happened."""

    @app.command()
    def history(  # noqa: PLR0917 - typer reads the options from the arguments
        channel: Annotated[str, typer.Argument(help="The channel's id.")],
        dict_name: Annotated[str, typer.Argument(metavar="[DICT]", help="One dict; those of the service begin with an underscore.")] = "",
        key: Annotated[str, typer.Argument(metavar="[KEY]", help="One key of it.")] = "",
        since: Annotated[str, typer.Option(help="How far back, like 90m or 2d.")] = "",
        member: Annotated[str, typer.Option(help="What this member did, by id or name.")] = "",
        most: Annotated[int, typer.Option("--limit", min=1, help="The newest so many.")] = 100,
        as_json: Annotated[bool, typer.Option("--json", help="For programs: one object a line.")] = False,
        config: ConfigFile = CONFIG,
        db_config: DbConfigFile = DB_CONFIG,
    ) -> None:
        """What was changed in a channel, when, by whom and by which command, the oldest first. For dicts in folders, as long as these retain it."""
        try:
            began = time.time() - parse_duration(since).total_seconds() if since else 0.0
            service = read_service(config)
            roots = list(Places(service, [entry.model_dump() for entry in read_config(db_config, TAKEN_NAMES)]).folders)
        except (ConfigError, ValueError) as error:
            raise fault(str(error), FAULTY_CONFIG) from error
        if not roots:
            raise fault("No dict of the db config is in a folder, and only folders keep what was.", FAILED)
        try:
            names = _names(service.service_id, channel, roots)
            found = heapq.merge(*(_changes(root, service.service_id, channel, dict_name) for root in roots), key=lambda change: change.at)
            shown = deque((change for change in found if _is_wanted(change, key, began, member, names)), maxlen=most)
        except StorageError as error:
            raise fault(str(error), FAILED) from error
        for change in shown:
            typer.echo(json.dumps(_facts(change, names)) if as_json else _line(change, names))
        if not shown and not as_json:
            typer.echo("Nothing of this kind is kept.", err=True)


def _changes(root: Path, service_id: str, channel_id: str, dict_name: str) -> Iterator[PastChange]:
    """Without a name those of all dicts that are not the service's own. A deleted channel with the same id counts as well.

    Dicts of all channels count where the channel's own commit changed them.
    """
    start = domain_of(service_id, channel_id, "").rstrip(".")
    service = start.partition(".")[0] + "."

    def is_here(domain: str) -> bool:
        place = domain.rpartition(".")[0]
        return place == start or place.startswith(f"{start}%made")

    def is_shared(domain: str) -> bool:
        return domain.startswith(service) and domain.rpartition(".")[0].endswith(f"%{SHARED_VARIANT}")

    def is_asked_for(domain: str) -> bool:
        name = domain.rpartition(".")[2]
        return name == last_part(dict_name) if dict_name else not name.startswith("_")

    everything = past(root, lambda domain: is_here(domain) or is_shared(domain))
    for _, of_commit in groupby(everything, key=lambda change: change.sequence):
        changes = list(of_commit)
        if any(is_here(change.domain) for change in changes):
            yield from (change for change in changes if is_asked_for(change.domain))


def _names(service_id: str, channel_id: str, roots: Sequence[Path]) -> dict[str, str]:
    """The names of the channel's members by id, as they are now."""
    domain = domain_of(service_id, channel_id, MEMBERS.changed_as)
    members: dict[str, Any] = {}
    for root in roots:
        members |= read_dict(root, domain)
    return {member_id: record["name"] for member_id, record in members.items() if isinstance(record, dict) and isinstance(record.get("name"), str)}


def _is_wanted(change: PastChange, key: str, began: float, member: str, names: Mapping[str, str]) -> bool:
    is_theirs = not member or member in {change.member, names.get(change.member)}
    is_key = not key or key in {change.key, names.get(change.key)}
    return is_theirs and is_key and change.at >= began


def _facts(change: PastChange, names: Mapping[str, str]) -> dict[str, Any]:
    facts: dict[str, Any] = {"at": change.at, "member": change.member, "name": names.get(change.member, ""), "event": change.event}
    facts |= {"command": change.command, "dict": _dict_name(change), "key": change.key}
    if change.is_old_known and change.old is not None:
        facts["old"] = _plain(change.old)
    if change.new is not None:
        facts["new"] = _plain(change.new)
    return facts | {"is_old_known": change.is_old_known}


def _line(change: PastChange, names: Mapping[str, str]) -> str:
    when = datetime.fromtimestamp(change.at, UTC).strftime("%Y-%m-%d %H:%M:%S")
    who = names.get(change.member) or change.member or "nobody"
    key = f"{change.key} ({names[change.key]})" if change.key in names and names[change.key] != change.key else change.key
    old = _shown(change.old) if change.is_old_known else "?"
    event = f"  ({change.event})" if change.event else ""
    return f"{when}  {who}  {change.command or '-'}  {_dict_name(change)}[{key!r}]: {old} -> {_shown(change.new)}{event}"


def _dict_name(change: PastChange) -> str:
    return change.domain.rpartition(".")[2].replace("-", ".")


def _shown(text: codec.Encoded | None) -> str:
    return "nothing" if text is None else clip(bytes(text).decode("utf-8", "backslashreplace"), _LONGEST_VALUE)


def _plain(text: codec.Encoded) -> Any:
    return json.loads(bytes(text))
