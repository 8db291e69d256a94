"""`mooring import moobius`: what a bot kept under the Moobius SDK becomes the data of a service."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from mooring.cli.options import CONFIG, DB_CONFIG, FAILED, FAULTY_CONFIG, ConfigFile, DbConfigFile, fault
from mooring.config import ServiceConfig, parse_service
from mooring.sdk.importing import Step, Target, carry_out, plan
from mooring.service.old_data import OldDict, find_old_dicts
from storage.db_config import read_config
from storage.errors import ConfigError, Fault, StorageError
from storage.json_config import expect_object, read_json
from storage.moobius_storage import TAKEN_NAMES

_MOST_NAMED = 20
"""How many files that stay behind are named for one dict."""


def add_import(app: typer.Typer) -> None:
    """Let the command line import."""
    group = typer.Typer(no_args_is_help=True, help="Take over data of other programs.")
    app.add_typer(group, name="import")
    group.callback()(lambda: None)  # so that a single command does not become the whole group

    @group.command("moobius")
    def moobius(  # noqa: PLR0917 - typer reads the options from the arguments
        folder: Annotated[Path, typer.Argument(help="The root_dir that the SDK's JSONDatabase wrote into.")],
        config: ConfigFile = CONFIG,
        db_config: DbConfigFile = DB_CONFIG,
        channel: Annotated[list[str] | None, typer.Option(help="Take over this channel only; may stand several times.")] = None,
        service: Annotated[str | None, typer.Option(help="The service's id under the SDK, if the folder has several.")] = None,
        module: Annotated[list[str] | None, typer.Option(help="A module, or its file, that registers the bot's dataclasses; it is imported.")] = None,
        yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
        plan_only: Annotated[bool, typer.Option("--plan", help="Show the plan and stop.")] = False,
        replace: Annotated[bool, typer.Option("--replace", help="Take the place of other data, which is kept in dated files.")] = False,
    ) -> None:
        """Copy what the Moobius SDK kept (one file for each key) into the dicts of a service, and compare. The service must not run.

        --config may name a config of the SDK, which holds or names the others. The files of the SDK stay as they are. The exit code is 1 if
        something stayed behind.
        """
        try:
            for each in module or ():
                _import_module(each)
            target = _target(config, db_config)
            olds = _chosen(folder, service, target.service_id, channel or [])
            is_whole = _import(olds, target, yes=yes, plan_only=plan_only, replace=replace)
        except ConfigError as error:
            raise fault(str(error), FAULTY_CONFIG) from error
        except (StorageError, OSError) as error:
            raise fault(f"The import stopped: {error}\nThe files of the SDK are as they were. The same command goes on.", FAILED) from error
        if not is_whole:
            raise typer.Exit(FAILED)


def _import(olds: Sequence[OldDict], target: Target, *, yes: bool, plan_only: bool, replace: bool) -> bool:
    """Whether everything was taken over, or would be."""
    with target.marks() as marks:
        steps = plan(olds, target, marks)
        for step in steps:
            _tell(step, target)
        in_the_way = [step for step in steps if step.conflicts]
        if in_the_way and not replace and not plan_only:
            raise StorageError(f"{len(in_the_way)} dicts have other values for some keys; look at them, and say --replace to take their place")
        is_whole = all(step.has_place and not step.left_behind for step in steps)
        open_steps = [step for step in steps if step.has_place and not (step.is_done and step.is_marked)]
        if not open_steps:
            typer.echo("There is nothing to take over.")
        elif not plan_only and (yes or typer.confirm("Take it over?")):
            for step in open_steps:
                kept = carry_out(step, target, marks)
                typer.echo(f"  {step.old.domain}: taken over and compared{f'; what was there is in {kept}' if kept else ''}")
            typer.echo("Done. The files of the SDK stay where they are; Mooring does not need them any more.")
    return is_whole


def _tell(step: Step, target: Target) -> None:
    state = "is there already"
    if not step.has_place:
        state = f"stays behind: the db config has no dict {step.old.name} that keeps its data; add an entry of this name"
    elif step.conflicts:
        state = f"takes the place of {step.there} keys, of which {len(step.conflicts)} are of the same name and differ, {step.conflicts[0]!r} for one"
    elif step.to_copy:
        state = f"{len(step.to_copy)} are copied" + (f", {step.there} are there" if step.there else "")
    elif step.is_marked:
        state = "was taken over before"
    stranger = "" if step.old.channel_id in target.channel_ids else " (the config names no such channel)"
    typer.echo(f"  {step.old.domain}{stranger}: {step.old.keys} keys, {state}")
    for why in list(step.left_behind.values())[:_MOST_NAMED]:
        typer.echo(f"    stays behind: {why}")
    if len(step.left_behind) > _MOST_NAMED:
        typer.echo(f"    and {len(step.left_behind) - _MOST_NAMED} others")


def _chosen(folder: Path, service: str | None, service_id: str, channels: Sequence[str]) -> list[OldDict]:
    """The dicts of one service and of the named channels, or all of its channels. Raises ConfigError."""
    found = find_old_dicts(folder)
    services = list(dict.fromkeys(old.service_id for old in found))
    if not found:
        problem = "has nothing that the Moobius SDK kept there, as service_X/channel_Y/NAME/KEY.json"
        raise ConfigError([Fault(str(folder), "", "", problem, "name the root_dir of its db config")])
    wanted = service if service is not None else service_id if service_id in services else services[0] if len(services) == 1 else None
    if wanted not in services:
        problem = f"has data of the services {', '.join(services)}" + (f", and none of {service}" if service else "")
        raise ConfigError([Fault(str(folder), "", "", problem, "say which one with --service")])
    olds = [old for old in found if old.service_id == wanted]
    known = list(dict.fromkeys(old.channel_id for old in olds))
    strangers = [channel for channel in channels if channel not in known]
    if strangers:
        raise ConfigError([Fault(str(folder), "", "", f"has no channel {strangers[0]}", f"its channels are {', '.join(known)}")])
    return [old for old in olds if not channels or old.channel_id in channels]


def _target(config: Path, db_config: Path) -> Target:
    raw = read_json(config)
    whole = raw if isinstance(raw, dict) and ("service_config" in raw or "db_config" in raw) else {"service_config": raw, "db_config": db_config}
    service = whole.get("service_config") or {}
    dicts = whole.get("db_config") or []
    known = _service_config(service, config)
    entries = read_config(str(dicts) if isinstance(dicts, Path) else dicts, TAKEN_NAMES)
    return Target(known.service_id, tuple(channel.id for channel in known.channels), entries)


def _service_config(source: Any, file: Path) -> ServiceConfig:
    raw = read_json(source) if isinstance(source, str) else source
    name = source if isinstance(source, str) else str(file)
    return parse_service(expect_object(raw, name), name)


def _import_module(name: str) -> None:
    """Run what registers dataclasses. That a module is named here is the operator's word; no file of the SDK has one. Raises ConfigError."""
    path = Path(name)
    try:
        if path.suffix == ".py":
            spec = importlib.util.spec_from_file_location(path.stem, path)
            if spec is None or spec.loader is None:
                raise ImportError("it is no Python module")
            sys.path.insert(0, str(path.resolve().parent))
            sys.modules[path.stem] = made = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(made)
        else:
            sys.path.insert(0, str(Path.cwd()))
            importlib.import_module(name)
    except Exception as error:  # whatever the bot's code raises
        problem = f"cannot be imported: {type(error).__name__}: {error}"
        raise ConfigError([Fault(name, "", "--module", problem, "mend it, or name another")]) from error
