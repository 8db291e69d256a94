"""`mooring token create`, `list` and `revoke`: who is let in by hand, and with which role."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from mooring import ROLES, NameRefused, Role, ServiceConfig, clean_name
from mooring.plugins.web.config import Config
from mooring.plugins.web.identity import EVERY_CHANNEL, Identities
from mooring.plugins.web.token_store import open_token_store
from storage.errors import ConfigError, StorageError

DataDir = Annotated[Path | None, typer.Option(envvar="MOORING_DATA_DIR", help="Where the gateway keeps its key; by default as in the config.")]
ConfigFile = Annotated[Path, typer.Option(envvar="MOORING_CONFIG", help="The service's config.")]
DbConfigFile = Annotated[Path, typer.Option(envvar="MOORING_DB_CONFIG", help="Which dict is in which engine; tokens are kept there if it is shared.")]
_CONFIG = Path("config/service.json")
_DB_CONFIG = Path("config/db_config.json")
_FAULTY_CONFIG, _FAILED = 2, 1


def add_token_commands(app: typer.Typer) -> None:
    """Let the command line give and take tokens. A running service notices within a second."""
    group = typer.Typer(no_args_is_help=True, help="Give and revoke tokens, which open channels with token access and carry roles.")
    app.add_typer(group, name="token")

    @group.command()
    def create(  # noqa: PLR0917 - typer reads the options from the arguments
        name: str,
        role: Annotated[str, typer.Option(help="owner, moderator or member.")] = "member",
        channel: Annotated[list[str] | None, typer.Option(help="Where the role holds; may be repeated. Everywhere if left out.")] = None,
        data_dir: DataDir = None,
        config: ConfigFile = _CONFIG,
        db_config: DbConfigFile = _DB_CONFIG,
    ) -> None:
        """Make a token for NAME and print it, once; only its bearer keeps it."""
        known: Mapping[str, Role] = {each: each for each in ROLES}
        if role not in known:
            raise typer.BadParameter(f"{role} is no role; expected {', '.join(known)}")
        try:
            cleaned = clean_name(name)
        except NameRefused as error:
            raise typer.BadParameter(str(error)) from error
        with _kept(data_dir, config, db_config) as (identities, place):
            identity, token = identities.give(cleaned, dict.fromkeys(channel or [EVERY_CHANNEL], known[role]))
        where = ", ".join(channel) if channel else "every channel"
        typer.echo(f"Token {identity.token_id} makes its bearer {cleaned}, {role} in {where} (listed in {place}):", err=True)
        typer.echo(token)

    @group.command("list")
    def show(data_dir: DataDir = None, config: ConfigFile = _CONFIG, db_config: DbConfigFile = _DB_CONFIG) -> None:
        """List what was given; the tokens themselves are kept nowhere."""
        with _kept(data_dir, config, db_config) as (identities, _):
            listed = identities.given()
        for token_id, given in listed.items():
            roles = ", ".join(f"{role} in {'every channel' if channel == EVERY_CHANNEL else channel}" for channel, role in given.roles.items())
            state = "good" if given.revoked is None else f"revoked {_day(given.revoked)}"
            typer.echo(f"{token_id}  {given.name}  {roles or 'no role'}  made {_day(given.made)}  {state}")

    @group.command()
    def revoke(name_or_id: str, data_dir: DataDir = None, config: ConfigFile = _CONFIG, db_config: DbConfigFile = _DB_CONFIG) -> None:
        """Make void one token, or all tokens of a name. Their bearers are put out at once."""
        with _kept(data_dir, config, db_config) as (identities, place):
            revoked = identities.revoke(name_or_id)
        if not revoked:
            typer.echo(f"No good token in {place} belongs to {name_or_id}; see: mooring token list", err=True)
            raise typer.Exit(1)
        typer.echo(f"Revoked {', '.join(revoked)}.")


@contextmanager
def _kept(data_dir: Path | None, config: Path, db_config: Path) -> Iterator[tuple[Identities, str]]:
    """The tokens of the service with these configs, and where they are, in words."""
    said = _said(config)
    # Who has no config at all has files; a file that was named must be there.
    dicts: Path | list[dict[str, object]] = [] if db_config == _DB_CONFIG and not db_config.exists() else db_config
    try:
        store = open_token_store(data_dir or _data_dir(said) or Config().data_dir, _service_id(said), dicts)
        with closing(store):
            yield Identities(store), str(store)
    except ConfigError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(_FAULTY_CONFIG) from error
    except StorageError as error:
        typer.echo(f"The tokens cannot be reached, and nothing was changed: {error}", err=True)
        raise typer.Exit(_FAILED) from error


def _said(config: Path) -> dict[str, Any]:
    """What a service config says, if it can be read; the service itself tells what is wrong with it."""
    try:
        said = json.loads(config.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def _service_id(said: Mapping[str, Any]) -> str:
    return str(said.get("service_id") or ServiceConfig().service_id)


def _data_dir(said: Mapping[str, Any]) -> Path | None:
    try:
        return next(Path(each["config"]["data_dir"]) for each in said["plugins"] if isinstance(each, dict) and each.get("name") == "web")
    except (KeyError, TypeError, StopIteration):
        return None


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()
