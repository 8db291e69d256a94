"""`mooring migrate`: moving all channels from the engines of one config to those of another."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from mooring.bots.loading import kept_by_plugins
from mooring.bots.shared_stores import open_shared_store
from mooring.channels.registry import ChannelRegistry
from mooring.channels.system_dicts import (
    DELIVERIES,
    OF_DELIVERIES,
    OF_THE_REGISTRY,
    OF_THE_SERVICE,
    SHARED_STORES,
    SHARED_VARIANT,
    VERSIONS,
    kept_beside,
    of_channel,
    older_values,
    shared_entry,
    stores_of,
)
from mooring.cli.options import CONFIG, FAILED, FAULTY_CONFIG, ConfigFile, fault
from mooring.config import parse_service
from mooring.environment_settings import with_environment
from mooring.errors import PluginError
from mooring.made_channels import variant_of
from storage import MoobiusStorage
from storage.db_config import read_config
from storage.errors import ConfigError, StorageError
from storage.json_config import expect_object, read_json
from storage.migrate import Step, carry_out, left_out, plan
from storage.moobius_storage import TAKEN_NAMES


def add_migrate(app: typer.Typer) -> None:
    """Let the command line migrate."""

    @app.command()
    def migrate(  # noqa: PLR0917 - typer reads the options from the arguments
        source: Annotated[Path, typer.Option("--from", help="The db config whose engines have the data.")],
        target: Annotated[Path, typer.Option("--to", help="The db config whose engines shall have it.")],
        config: ConfigFile = CONFIG,
        yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
        plan_only: Annotated[bool, typer.Option("--plan", help="Show the plan and stop.")] = False,
        replace: Annotated[bool, typer.Option("--replace", help="Take the place of other data at the target, which is kept in dated files.")] = False,
        switch: Annotated[bool, typer.Option("--switch", help="At the end put the target config in the place of the source config.")] = False,
    ) -> None:
        """Copy all dicts of all channels, compare, and say how to switch. The service must not run. The old data stays."""
        try:
            _migrate(source, target, config, yes=yes, plan_only=plan_only, replace=replace, switch=switch)
        except ConfigError as error:
            raise fault(str(error), FAULTY_CONFIG) from error
        except (StorageError, PluginError, OSError) as error:
            raise fault(f"The migration stopped: {error}\nThe old data is as it was, and still in use.", FAILED) from error


def _migrate(source: Path, target: Path, config: Path, *, yes: bool, plan_only: bool, replace: bool, switch: bool) -> None:
    service = parse_service(with_environment(expect_object(read_json(config), str(config))), str(config))
    channels = _channels(service.service_id, [channel.id for channel in service.channels], source)
    for each in (OF_THE_SERVICE, OF_THE_REGISTRY, *kept_by_plugins(service.plugin_folders)):
        if not each.is_secret or (shared_entry(source) and shared_entry(target)):
            channels[each.storage, each.variant] = tuple(kept.name for kept in each.dicts)
    channels.update(_shared_stores(service.service_id, source))
    steps = plan(service.service_id, channels, source, target)
    for step in steps:
        typer.echo(_line(step))
    for name in left_out(source, target):
        typer.echo(f"  {name}: {target} keeps nothing under this name; it stays where it is and is not copied")
    if not steps:
        typer.echo("There is nothing to copy.")
    in_the_way = [step for step in steps if step.is_in_the_way]
    if in_the_way and not replace and not plan_only:
        raise StorageError(f"{len(in_the_way)} dicts hold other data at the target already; look at them, and say --replace to take their place")
    if plan_only or not (yes or typer.confirm("Copy?")):
        return
    for step in steps:
        if not step.is_done:
            carry_out(step)
            typer.echo(f"  {step.source.domain}: {step.before.keys} keys copied and compared, checksum {step.before.checksum}")
    if switch:
        kept = _switch(source, target)
        typer.echo(f"Done. {source} is what {target} says from now on; what it said before is in {kept}. The old data stays where it was.")
    else:
        typer.echo(f"Done. Start the service with --db-config {target} from now on. The old data stays where it was.")


def _channels(service_id: str, configured: Sequence[str], source: Path) -> dict[tuple[str, str], tuple[str, ...]]:
    """The names of the system dicts and stores of each channel, those that were made at run time or deleted included, by id and variant."""
    entries = [{**entry.model_dump(), "load": False, "clear": False} for entry in read_config(source, TAKEN_NAMES)]
    with closing(ChannelRegistry(service_id, entries)) as registry:
        wanted = [(channel_id, variant_of(registry.incarnation(channel_id))) for channel_id in configured]
        wanted += [(made.id, made.variant) for made in (*registry.all(), *registry.deleted())]
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for channel_id, variant in dict.fromkeys(wanted):
        with MoobiusStorage(service_id, channel_id, entries, variant=variant) as storage, storage.beside(DELIVERIES) as beside:
            found[channel_id, variant] = (*(each.name for each in of_channel(storage)), *stores_of(storage))
            found[channel_id, beside.variant] = tuple(each.name for each in OF_DELIVERIES)
    return found


def _shared_stores(service_id: str, source: Path) -> dict[tuple[str, str], tuple[str, ...]]:
    """The same for the stores that all channels share."""
    config = [entry.model_dump() for entry in read_config(source, TAKEN_NAMES)]
    with OF_THE_SERVICE.open(service_id, kept_beside(config)) as own:
        names = list(SHARED_STORES.of(own))
    found = {}
    for name in names:
        with open_shared_store(service_id, name, [{**entry, "load": False, "clear": False} for entry in config]) as storage:
            found[name, SHARED_VARIANT] = (name, VERSIONS.name, *(each.name for each in older_values(storage)))
    return found


def _line(step: Step) -> str:
    state = "is there already" if step.is_done else f"takes the place of {step.there.keys} other keys" if step.is_in_the_way else "is copied"
    lost = f"; {step.before.unreadable} keys cannot be read and stay behind" if step.before.unreadable else ""
    return f"  {step.source.domain}: {step.before.keys} keys, {step.source} -> {step.target}, {state}{lost}"


def _switch(source: Path, target: Path) -> Path:
    kept = source.with_name(f"{source.name}.{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
    kept.write_bytes(source.read_bytes())
    draft = source.with_name(f"{source.name}.tmp")
    with draft.open("wb") as file:
        file.write(target.read_bytes())
        file.flush()
        os.fsync(file.fileno())
    draft.replace(source)
    return kept
