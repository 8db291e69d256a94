"""`mooring new-plugin NAME`: a plugin to begin with, its config and its test."""

from __future__ import annotations

import json
import keyword
from pathlib import Path
from typing import Annotated

import typer

from mooring.bots.discovery import plugin_names
from mooring.errors import PluginError

_PLUGIN = '''"""Counts what members bring."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from mooring import CommandError, Context, Store, command

kept = Store("kept", model=int, default=0)


class Config(BaseModel):
    """The settings of this plugin, from service.json."""

    model_config = ConfigDict(extra="forbid")
    most: int = 10


@command("{name}", example="/{name} 3")
async def bring(ctx: Context, count: Annotated[int, Field(ge=1, description="how many you bring")] = 1) -> str:
    """Bring some, and see how many there are."""
    if count > ctx.config.most:
        raise CommandError(f"{{ctx.config.most}} at a time are enough.")
    kept[ctx] += count
    return f"{{ctx.member}} brought {{count}}; that makes {{sum(kept.all(ctx).values())}} in all."
'''

_TEST = '''"""The plugin {name}, tried on every engine."""

from pathlib import Path

import pytest

from mooring.testing import Crashed

pytest_plugins = ["mooring.testing"]

PLUGIN = str(Path(__file__).with_name("{name}.py"))


@pytest.fixture
def bot(make_bot_on_every_engine):
    return make_bot_on_every_engine(PLUGIN, config={{"{name}": {{"most": 5}}}})


def test_it_counts(bot):
    assert bot.say("ann", "/{name} 3") == "ann brought 3; that makes 3 in all."
    assert bot.say("bob", "/{name}") == "bob brought 1; that makes 4 in all."


def test_it_keeps_to_its_config(bot):
    assert bot.say("ann", "/{name} 6") == "5 at a time are enough."


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_loses_nothing_and_counts_nothing_twice(bot, when):
    bot.say("ann", "/{name} 2")
    bot.crash_at(1, when)
    with pytest.raises(Crashed):
        bot.say("ann", "/{name} 2")
    bot.again()
    assert bot.say("ann", "/{name}") == "ann brought 1; that makes 5 in all."
'''


def new_plugin(name: str, parent: Path) -> list[Path]:
    """Write a plugin called `name`, its config and its test into a new folder of this name, and return the files.

    Raises PluginError if the name cannot be one or the folder is there already.
    """
    if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_") or name != name.lower():
        raise PluginError(f"{name!r} cannot be the name of a plugin; use lower-case letters, digits and underscores")
    if name in plugin_names():
        raise PluginError(f"there is a plugin called {name} already; choose another name")
    folder = parent / name
    service = {
        "channels": [{"id": "room", "name": "A room"}],
        "plugins": ["help", {"name": name, "config": {"most": 10}}, {"name": "web", "config": {"host": "127.0.0.1", "port": 8765}}],
        "plugin_folders": [str(folder)],
    }
    db_config = [{"implementation": "json", "name": "*", "settings": {"root_dir": "json_db"}}]
    texts = {
        f"{name}.py": _PLUGIN.format(name=name),
        f"test_{name}.py": _TEST.format(name=name),
        "service.json": json.dumps(service, indent=2) + "\n",
        "db_config.json": json.dumps(db_config, indent=2) + "\n",
    }
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise PluginError(f"the folder {folder} cannot be made: {error.strerror}") from error
    files = [folder / file for file in texts]
    for file, text in zip(files, texts.values(), strict=True):
        file.write_text(text, "utf-8")
    return files


def add_new_plugin(app: typer.Typer) -> None:
    """Give the command line its `new-plugin`."""

    @app.command("new-plugin")
    def write(
        name: Annotated[str, typer.Argument(help="What the plugin and its folder are called.")],
        folder: Annotated[Path, typer.Option(help="Where its folder is made.")] = Path(),
    ) -> None:
        """Write a plugin to begin with, its config and its test."""
        try:
            files = new_plugin(name, folder)
        except PluginError as error:
            typer.echo(f"No plugin was written: {error}.", err=True)
            raise typer.Exit(2) from error
        place = files[0].parent
        typer.echo("\n".join(["Written:", *(f"  {file}" for file in files)]))
        typer.echo(f"Try it:  pytest {place}\nRun it:  mooring run --config {place / 'service.json'} --db-config {place / 'db_config.json'}")
