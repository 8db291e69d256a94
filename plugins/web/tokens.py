"""`mooring token ...`: who is let in by hand and with which role, who came as a guest, and the signing key.

A running service notices within a second.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from mooring import ROLES, CliContext, CommandError, NameRefused, Role, clean_name, cli_command, clip, parse_duration, suggestion
from mooring.plugins.web.guest_list import guests_of
from mooring.plugins.web.identity import EVERY_CHANNEL, Identities
from mooring.plugins.web.token_list import IssuedToken
from mooring.plugins.web.token_store import open_token_store
from storage import ConfigError, StorageError

DataDir = Annotated[Path | None, typer.Option(envvar="MOORING_DATA_DIR", help="Where the gateway keeps its key; by default as in the config.")]


@cli_command("token create")
def create_token(  # noqa: PLR0917 - typer reads the options from the arguments
    ctx: CliContext,
    name: str,
    role: Annotated[str, typer.Option(help="owner, moderator or member.")] = "member",
    channel: Annotated[list[str] | None, typer.Option(help="Where the role holds; may be repeated. Everywhere if left out.")] = None,
    valid: Annotated[str, typer.Option(help="For how long it is good, like 30d; until it is revoked if left out.")] = "",
    data_dir: DataDir = None,
) -> str:
    """Make a token for NAME and print it, once; only its bearer keeps it. Earlier tokens of the name are void then."""
    known: Mapping[str, Role] = {each: each for each in ROLES}
    if role not in known:
        raise typer.BadParameter(f"{role} is no role; expected {', '.join(known)}")
    try:
        cleaned = clean_name(name)
    except NameRefused as error:
        raise typer.BadParameter(str(error)) from error
    try:
        seconds = parse_duration(valid).total_seconds() if valid else None
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    _check_channels(ctx, channel or [])
    with _kept(ctx, data_dir) as (identities, place):
        identity, token = identities.give(cleaned, dict.fromkeys(channel or [EVERY_CHANNEL], known[role]), seconds)
    where = ", ".join(channel) if channel else "every channel"
    typer.echo(f"Token {identity.token_id} makes its bearer {cleaned}, {role} in {where} (listed in {place}):", err=True)
    return token


@cli_command("token list")
def list_tokens(ctx: CliContext, data_dir: DataDir = None) -> None:
    """List what was given; the tokens themselves are kept nowhere."""
    with _kept(ctx, data_dir) as (identities, _):
        listed = identities.given()
    for token_id, given in listed.items():
        if given.guest:
            typer.echo(f"{token_id}  {given.name}  guest {given.member_id}  {_state(given, time.time())}")
            continue
        roles = ", ".join(f"{role} in {'every channel' if channel == EVERY_CHANNEL else channel}" for channel, role in given.roles.items())
        state = _state(given, time.time())
        typer.echo(f"{token_id}  {given.name}  {roles or 'no role'}  made {_day(given.made)}  {state}")


@cli_command("token guests")
def list_guests(ctx: CliContext, data_dir: DataDir = None) -> None:
    """List the guests that are known, with their ids, where they are members and when they were there."""
    with _kept(ctx, data_dir) as (identities, _):
        ended = {member_id for member_id in identities.members() if identities.is_turned_out(member_id)}
    for member_id, guest in guests_of(ctx).items():
        if member_id in ended:
            continue  # who leaves the channels in a moment, or as soon as the service runs
        typer.echo(f"{member_id}  {guest.name}  in {', '.join(guest.channels)}  {'here now' if guest.is_here else f'away for {guest.away}'}")


@cli_command("token rotate")
def rotate_key(
    ctx: CliContext,
    keep: Annotated[str, typer.Option(help="For how long tokens of the earlier key are good; 0s makes all of them void at once.")] = "30d",
    data_dir: DataDir = None,
) -> str:
    """Sign with a new key from now on. Who comes in meanwhile gets a token of the new one."""
    try:
        seconds = parse_duration(keep).total_seconds()
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    with _kept(ctx, data_dir) as (identities, place):
        identities.rotate(seconds)
    void = f"are good for another {keep}" if seconds else "are void"
    return f"There is a new signing key in {place}; tokens of the earlier one {void}."


@cli_command("token revoke")
def revoke_token(ctx: CliContext, name_or_id: str, data_dir: DataDir = None) -> str:
    """Make void one token, or all tokens of a name, or end a guest, by name or id. Their bearers are put out at once."""
    with _kept(ctx, data_dir) as (identities, place):
        revoked = identities.revoke(name_or_id) or _turn_out(ctx, identities, name_or_id)
    if not revoked:
        raise CommandError(f"No good token in {place} belongs to {name_or_id}, and no guest; see: mooring token list, mooring token guests")
    return f"Revoked {', '.join(revoked)}."


def _turn_out(ctx: CliContext, identities: Identities, name_or_id: str) -> list[str]:
    if ctx.config_file is None:
        return []
    found = {member_id: guest for member_id, guest in guests_of(ctx).items() if name_or_id in {member_id, guest.name}}
    for member_id, guest in found.items():
        identities.turn_out(member_id, guest.name)
    return list(found)


def _check_channels(ctx: CliContext, channels: Sequence[str]) -> None:
    unknown = [channel for channel in channels if channel not in ctx.channel_ids]
    if unknown and ctx.config_file is not None:
        there = [*ctx.channel_ids, *ctx.made_channel_ids()]
        for channel in unknown:
            if channel not in there:
                raise CommandError(f"There is no channel {clip(channel)} here, and nothing was made.{suggestion(channel, there)}")


@contextmanager
def _kept(ctx: CliContext, data_dir: Path | None) -> Iterator[tuple[Identities, str]]:
    """The service's tokens, and where they are, in words."""
    if ctx.config_file is None and data_dir is None:
        # Or a key would be made here, and what it signs would be good nowhere.
        remedy = "Go to the folder of the service, or say --config or --data-dir"
        raise CommandError(f"{Path.cwd()} has no config/service.json, and nothing was made. {remedy}.")
    try:
        with closing(open_token_store(data_dir or ctx.config.data_dir, ctx.service_id, ctx.db_config)) as store:
            yield Identities(store), str(store)
    except ConfigError:
        raise  # told with all its faults
    except StorageError as error:
        raise CommandError(f"The tokens cannot be reached, and nothing was changed: {error}") from error


def _state(given: IssuedToken, now: float) -> str:
    if given.revoked is not None:
        return f"revoked {_day(given.revoked)}"
    unused = "" if given.used else ", not used yet"
    if given.until is None:
        return f"good{unused}"
    return f"good until {_day(given.until)}{unused}" if now < given.until else f"ended {_day(given.until)}"


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()
