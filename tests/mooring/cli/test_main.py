"""The command line: its own commands, and those that plugins add."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from mooring import ChannelService
from mooring.cli import main
from mooring.version import __version__
from storage import MoobiusStorage
from tests.process_for_tests import start

QUOTES = '''
from typing import Annotated
import typer
from pydantic import BaseModel
from mooring import CliContext, CommandError, cli_command, command
from storage import ConfigError, Fault, MoobiusStorage, StorageError

class Config(BaseModel):
    most: int = 3

@command("quote")
def of_the_chat(ctx, text: str) -> str:
    """Not for the command line."""

@cli_command("quote add")
def add(ctx: CliContext, channel: str, text: str, shout: Annotated[bool, typer.Option(help="In capitals.")] = False) -> str:
    """Keep a quote."""
    with MoobiusStorage(ctx.service_id, channel, ctx.db_config) as storage:
        if len(storage.quotes) >= ctx.config.most:
            raise CommandError(f"{ctx.config.most} are enough.")
        storage.quotes[text] = text.upper() if shout else text
        return f"{len(storage.quotes)} quotes in {channel} of {', '.join(ctx.channel_ids)}"

@cli_command("quote-later")
async def later(ctx: CliContext) -> str:
    return "later"

@cli_command("fail")
def fail(ctx: CliContext, how: str) -> None:
    raise {"config": ConfigError([Fault("x.json", "", "", "is odd", "mend it")]), "storage": StorageError("the disk is full")}[how]
'''


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")


def mooring(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(main.build_app(ChannelService), arguments, env={"TERM": "dumb", **environment})


def write_service(*plugins: Any, **sources: str) -> None:
    """A config and plugins with this code."""
    Path("bots").mkdir(exist_ok=True)
    for name, source in sources.items():
        Path("bots", f"{name}.py").write_text(source)
    service = {"service_id": "s", "channels": ["tavern", "library"], "plugins": [*plugins, *sources], "plugin_folders": ["bots"]}
    Path("service.json").write_text(json.dumps(service))
    Path("dicts.json").write_text(json.dumps([{"implementation": "json", "name": "quotes", "settings": {"root_dir": "data"}}]))


CONFIGS = ("--config", "service.json", "--db-config", "dicts.json")


class TestOwnCommands:
    def test_the_version(self) -> None:
        assert mooring("--version").stdout == f"mooring {__version__}\n"

    def test_init_writes_a_config_that_the_service_takes_and_says_what_to_type(self, tmp_path: Path) -> None:
        done = mooring("init")
        assert done.exit_code == 0
        assert {file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*.json")} == {"config/service.json", "config/db_config.json"}
        for part in ("config/service.json", "config/db_config.json", "mooring run"):
            assert part in done.stdout
        service = ChannelService(service_config="config/service.json", db_config="config/db_config.json")
        assert "hit" in service.commands.commands
        assert "web" in service.plugins.loaded

    def test_init_leaves_what_is_there(self) -> None:
        Path("config").mkdir()
        Path("config/service.json").write_text("mine")
        done = mooring("init")
        assert (done.exit_code, Path("config/service.json").read_text()) == (0, "mine")
        assert "config/service.json: was there already" in done.stdout
        assert "config/db_config.json: written" in done.stdout

    def test_init_says_why_it_cannot(self) -> None:
        Path("config").write_text("a file")
        done = mooring("init")
        assert done.exit_code == 1
        assert "config" in done.stderr
        assert len(done.stderr.splitlines()) == 1

    @pytest.mark.parametrize("order", [("run", *CONFIGS), CONFIGS, (*CONFIGS, "run")])
    async def test_the_service_runs_with_and_without_the_word(self, tmp_path: Path, order: tuple[str, ...]) -> None:
        write_service("web")
        process = await start(tmp_path, *order)
        assert process.line.startswith("Mooring is at http://127.0.0.1:")
        assert (await process.end())[0] == 0

    @pytest.mark.parametrize("line", [("--version",), ("init",), ("run", "--config", "missing.json"), (), ("migrate", "--help")])
    def test_nobody_waits_for_plugins_in_vain(self, monkeypatch: pytest.MonkeyPatch, line: tuple[str, ...]) -> None:
        monkeypatch.setattr(main, "plugin_commands", lambda *_: pytest.fail("loads plugins"))
        assert mooring(*line).exit_code == (2 if not line or "missing.json" in line else 0)


class TestPluginCommands:
    def test_they_are_listed_and_run_with_the_plugins_settings_and_dicts(self) -> None:
        write_service({"name": "quotes", "config": {"most": 2}}, quotes=QUOTES)
        write = json.loads(Path("service.json").read_text())
        write["plugins"].pop()
        Path("service.json").write_text(json.dumps(write))
        helped = mooring("--help", "--config", "service.json").stdout
        assert [word for word in ("quote ", "quote-later", "plugin quotes", "migrate") if word not in helped] == []
        assert "Not for the command line" not in helped
        assert "plugin web" not in helped
        assert mooring("quote", "add", "tavern", "hi", "--shout", *CONFIGS).stdout == "1 quotes in tavern of tavern, library\n"
        assert mooring(*CONFIGS, "quote", "add", "tavern", "ho").stdout == "2 quotes in tavern of tavern, library\n"
        third = mooring("quote", "add", "tavern", "no", MOORING_CONFIG="service.json", MOORING_DB_CONFIG="dicts.json")
        assert (third.exit_code, third.stdout, third.stderr) == (1, "", "2 are enough.\n")
        with MoobiusStorage("s", "tavern", "dicts.json") as storage:
            assert storage.quotes.copy() == {"hi": "HI", "ho": "ho"}

    def test_one_may_be_async_and_each_has_help(self) -> None:
        write_service(quotes=QUOTES)
        assert mooring("quote-later", *CONFIGS).stdout == "later\n"
        helped = mooring("quote", "add", "--help", "--config", "service.json").stdout
        assert [word for word in ("Keep a quote.", "channel", "--shout", "--config", "--db-config") if word not in helped] == []

    @pytest.mark.parametrize(("how", "code", "said"), [("config", 2, "x.json: is odd; mend it"), ("storage", 1, "the disk is full")])
    def test_faults_are_told_in_words(self, how: str, code: int, said: str) -> None:
        write_service(quotes=QUOTES)
        done = mooring("fail", how, *CONFIGS)
        assert (done.exit_code, done.stdout) == (code, "")
        assert said in done.stderr

    def test_without_a_readable_config_there_are_those_of_the_built_in_plugins(self) -> None:
        assert "plugin web" in mooring("--help").stdout
        Path("service.json").write_text('{"plugins": [')
        assert "plugin web" in mooring("--help", "--config", "service.json").stdout

    def test_what_is_wrong_with_the_plugins_settings_is_told(self) -> None:
        write_service({"name": "quotes", "config": {"most": "many"}}, other=QUOTES.replace("quote", "other"))
        Path("bots/quotes.py").write_text(QUOTES)
        done = mooring("quote", "add", "tavern", "hi", *CONFIGS)
        assert done.exit_code == 2
        assert "plugin quotes, most" in done.stderr

    @pytest.mark.parametrize(("config", "code"), [("missing.json", 2), ("broken.json", 2)])
    def test_a_config_that_was_named_must_be_readable(self, config: str, code: int) -> None:
        Path("broken.json").write_text('{"plugins": ["web"],\n"plugins": []}')
        done = mooring("token", "list", "--config", config)
        assert done.exit_code == code
        assert config in done.stderr
        assert not Path("data").exists(), "nothing was made by a guess"


BROKEN: dict[str, tuple[str, str]] = {
    "raises": ("raise RuntimeError('no\\nway')", "RuntimeError: no way"),
    "exits": ("import sys\nsys.exit('bye')", "bye"),
    "syntax": ("def (", "SyntaxError"),
    "needs": ("import no_such_package", "no_such_package"),
    "contextless": (QUOTES.replace("ctx: CliContext, how", "how"), "takes a CliContext first"),
    "taken": (QUOTES.replace('"fail"', '"run"'), "run is a command of mooring itself"),
    "named": (QUOTES.replace('"fail"', '"Fail Now!"'), "lower-case words"),
    "both": (QUOTES.replace('"fail"', '"quote"'), "quote is a command of the plugin both already"),
    "unknown": (QUOTES.replace("how: str", "how: 'NoSuchWord'"), "NoSuchWord"),
    "clash": (QUOTES.replace("how: str", "config: str"), "argument config"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_plugin_costs_its_commands_and_a_line(name: str) -> None:
    source, why = BROKEN[name]
    good = 'from mooring import CliContext, cli_command\n@cli_command("good")\ndef good(ctx: CliContext) -> str:\n    return "fine"\n'
    write_service("web", **{name: source}, kept=good)
    for line in (("--help", "--config", "service.json"), ("good", *CONFIGS)):
        done = mooring(*line)
        assert done.exit_code == 0
        [warning] = done.stderr.splitlines()
        assert f"plugin {name}" in warning
        assert why in warning
        assert "Traceback" not in done.output
    assert done.stdout == "fine\n"
    assert "plugin web" in mooring("--help", "--config", "service.json").stdout
    assert mooring("quote", *CONFIGS).exit_code == 2


def test_of_two_plugins_with_one_name_the_first_has_it() -> None:
    write_service(one=QUOTES, two=QUOTES)
    done = mooring("quote-later", *CONFIGS)
    assert done.stdout == "later\n"
    assert re.search(r"plugin two adds no commands.*of the plugin one already", done.stderr)


