"""`mooring token create`, `list` and `revoke`: who is let in by hand, and with which role."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from plugins.web import names
from plugins.web.config import Config
from plugins.web.identity import EVERY_CHANNEL, Identities, Role

DataDir = Annotated[Path | None, typer.Option(envvar="MOORING_DATA_DIR", help="Where the gateway keeps its key; by default as in the config.")]
ConfigFile = Annotated[Path, typer.Option(envvar="MOORING_CONFIG", help="The service's config.")]
_CONFIG = Path("config/service.json")


def add_token_commands(app: typer.Typer) -> None:
    """Let the command line give and take tokens. A running service notices within a second."""
    group = typer.Typer(no_args_is_help=True, help="Give and revoke tokens, which open channels with token access and carry roles.")
    app.add_typer(group, name="token")

    @group.command()
    def create(
        name: str,
        role: Annotated[str, typer.Option(help="owner, moderator or member.")] = "member",
        channel: Annotated[list[str] | None, typer.Option(help="Where the role holds; may be repeated. Everywhere if left out.")] = None,
        data_dir: DataDir = None,
        config: ConfigFile = _CONFIG,
    ) -> None:
        """Make a token for NAME and print it, once; only its bearer keeps it."""
        known: Mapping[str, Role] = {"owner": "owner", "moderator": "moderator", "member": "member"}
        if role not in known:
            raise typer.BadParameter(f"{role} is no role; expected {', '.join(known)}")
        try:
            cleaned = names.clean(name)
        except names.NameRefused as error:
            raise typer.BadParameter(str(error)) from error
        identity, token = _identities(data_dir, config).give(cleaned, dict.fromkeys(channel or [EVERY_CHANNEL], known[role]))
        typer.echo(f"Token {identity.token_id} makes its bearer {cleaned}, {role} in {', '.join(channel) if channel else 'every channel'}:", err=True)
        typer.echo(token)

    @group.command("list")
    def show(data_dir: DataDir = None, config: ConfigFile = _CONFIG) -> None:
        """List what was given; the tokens themselves are kept nowhere."""
        for token_id, given in _identities(data_dir, config).given().items():
            roles = ", ".join(f"{role} in {'every channel' if channel == EVERY_CHANNEL else channel}" for channel, role in given.roles.items())
            state = "good" if given.revoked is None else f"revoked {_day(given.revoked)}"
            typer.echo(f"{token_id}  {given.name}  {roles or 'no role'}  made {_day(given.made)}  {state}")

    @group.command()
    def revoke(name_or_id: str, data_dir: DataDir = None, config: ConfigFile = _CONFIG) -> None:
        """Make void one token, or all tokens of a name. Their bearers are put out at once."""
        revoked = _identities(data_dir, config).revoke(name_or_id)
        if not revoked:
            typer.echo(f"No good token belongs to {name_or_id}; see: mooring token list", err=True)
            raise typer.Exit(1)
        typer.echo(f"Revoked {', '.join(revoked)}.")


def _identities(data_dir: Path | None, config: Path) -> Identities:
    return Identities(data_dir or _configured(config) or Config().data_dir)


def _configured(config: Path) -> Path | None:
    """The data_dir in a service config, if it can be read and names one; the service itself tells what is wrong with it."""
    try:
        plugins = json.loads(config.read_text("utf-8"))["plugins"]
        return next(Path(each["config"]["data_dir"]) for each in plugins if isinstance(each, dict) and each.get("name") == "web")
    except (OSError, ValueError, KeyError, TypeError, StopIteration):
        return None


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()
