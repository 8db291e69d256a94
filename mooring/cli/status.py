"""`mooring status`: what the running service says of itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from mooring.cli.operating import ask_running
from mooring.cli.options import CONFIG, DB_CONFIG, FAILED, NOT_RUNNING, ConfigFile, DbConfigFile, fault


def add_status(app: typer.Typer) -> None:
    """Let the command line look at a running service."""

    @app.command()
    def status(
        channel: Annotated[str | None, typer.Argument(metavar="[CHANNEL]", help="Of this channel alone.")] = None,
        as_json: Annotated[bool, typer.Option("--json", help="For programs: a list with what each process says.")] = False,
        config: ConfigFile = CONFIG,
        db_config: DbConfigFile = DB_CONFIG,
    ) -> None:
        """How the running service is: exit code 0 if it is ready, 1 if something is wrong, 3 if none runs."""
        processes = ask_running("status", {"channel_id": channel}, config)
        if as_json:
            typer.echo(json.dumps(processes, indent=2))
        elif processes:
            typer.echo("\n\n".join("\n".join(_lines(each)) for each in processes))
        if not processes:
            raise fault("No service runs with this config.", NOT_RUNNING)
        if not all(each["ready"] for each in processes):
            raise typer.Exit(FAILED)


def _lines(process: dict[str, Any]) -> Iterator[str]:
    place = " and ".join(process["addresses"]) or "no address"
    is_ready = "ready" if process["ready"] else "NOT READY"
    yield f"Mooring {process['version']}, service {process['service_id']}, process {process['pid']}, at {place}: {is_ready}"
    yield from (f"  ! {problem}" for problem in process["problems"])
    if process["more_problems"]:
        yield f"  ! and {process['more_problems']} more"
    yield f"  plugins: {', '.join(process['plugins']) or 'none'}; gateways: {', '.join(process['gateways']) or 'none'}"
    for channel_id, channel in process["channels"].items():
        yield f"  {channel_id}: {', '.join(_facts(channel))}"
    left = process["channels_in_all"] - len(process["channels"])
    if left and len(process["channels"]) > 1:
        yield f"  and {left} more channels; name one to see it"


def _facts(channel: dict[str, Any]) -> Iterator[str]:
    yield f"{channel['members']} member{'s' * (channel['members'] != 1)}, {channel['here']} here"
    if channel.get("waiting"):
        yield f"{channel['waiting']} events wait"
    since = channel.get("seconds_since_commit")
    yield "no commit yet" if since is None else f"committed {_ago(since)} ago"
    for network, outbox in channel["outbox"].items():
        yield f"{outbox['waiting']} messages wait for {network}, since {_ago(outbox['oldest_seconds'])}"
    schedules = channel["schedules"]
    if schedules["planned"]:
        yield f"{schedules['planned']} scheduled"
    if schedules["given_up"]:
        yield f"{schedules['given_up']} scheduled calls given up"


def _ago(seconds: float) -> str:
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
