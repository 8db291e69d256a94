"""`mooring backup` beside the running service, and `mooring restore` after it."""

from __future__ import annotations

import asyncio
import json
import stat
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mooring import ChannelService
from mooring.cli.main import build_app
from storage import JSONDatabase, MoobiusStorage
from storage.files import Files
from tests.process_for_tests import member, start, write_configs


def entries(root: str = "json_db") -> list[dict[str, Any]]:
    return [{"implementation": "json", "name": name, "settings": {"root_dir": root}} for name in ("health_bars", "mana_bars", "*")]


def fill(channel: str, dict_name: str = "health_bars", **values: Any) -> None:
    with MoobiusStorage("1", channel, entries()) as storage:
        kept = storage.system(dict_name[1:]) if dict_name.startswith("_") else getattr(storage, dict_name)
        kept.clear()
        kept.update(values)


def kept(channel: str, dict_name: str = "health_bars", root: str = "json_db") -> dict[str, Any]:
    engine = JSONDatabase(f"service_1.channel_{channel}.{dict_name}", root_dir=root)
    try:
        return {key: engine.get_value(key)[1] for key in engine.all_keys()}
    finally:
        engine.close()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_configs(tmp_path, db=entries())
    return tmp_path


def run(*line: str, db_config: str = "db_config.json") -> tuple[int, str]:
    done = CliRunner().invoke(build_app(ChannelService), [*line, "--config", "service.json", "--db-config", db_config])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, " ".join(done.output.split())


async def test_beside_the_running_service_and_back_after_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    options = write_configs(tmp_path)
    process = await start(tmp_path, *options)
    async with member(process.address, name="ann") as ann:
        await ann.say("/hit @ann 20")
        code, said = await asyncio.to_thread(run, "backup", "copy")
        assert code == 0 and "keys of" in said, said
        assert stat.S_IMODE((tmp_path / "copy").stat().st_mode) == 0o600
        await ann.say("/hit @ann 30")
        code, said = await asyncio.to_thread(run, "backup", "copy")
        assert code == 1 and "copy is there already; remove it" in said
        code, said = await asyncio.to_thread(run, "restore", "copy", "--yes", "--replace")
        assert code == 1 and f"in use by process {process.process.pid}" in said
    assert (await process.end())[0] == 0
    code, said = await asyncio.to_thread(run, "restore", "copy", "--yes")
    assert code == 1 and "say --replace" in said
    code, said = await asyncio.to_thread(run, "restore", "copy", "--yes", "--replace")
    assert code == 0 and "mooring cleared list" in said, said
    process = await start(tmp_path, *options)
    async with member(process.address, name="bob") as bob:
        await bob.say("/hit @ann 1")
        assert any("79 of 100" in text for text in bob.texts()), bob.texts()
    assert (await process.end())[0] == 0


def test_one_channel_one_dict_and_another_place(folder: Path) -> None:
    fill("tavern", ann=80)
    fill("tavern", "mana_bars", ann=7)
    fill("tavern", "_outbox", one="waiting")
    fill("tavern", "_presence", ann="here")
    fill("library", bob=10)
    assert run("backup", "copy")[0] == 0
    for channel in ("tavern", "library"):
        fill(channel, ann=1)
    fill("tavern", "mana_bars", ann=1)
    fill("tavern", "_outbox", two="waiting")
    code, said = run("restore", "copy", "--plan")
    assert code == 0 and "service_1.channel_library.health_bars: 1 keys take the place of 1" in said
    assert run("restore", "copy", "--channel", "tavern", "--dict", "mana_bars", "--replace", "--yes")[0] == 0
    assert (kept("tavern"), kept("tavern", "mana_bars")) == ({"ann": 1}, {"ann": 7})
    assert run("restore", "copy", "--channel", "tavern", "--replace", "--yes")[0] == 0
    assert (kept("tavern"), kept("library")) == ({"ann": 80}, {"ann": 1})
    assert kept("tavern", "_outbox") == {"two": "waiting"}, "how far others have got with a channel is theirs, too"
    Path("other.json").write_text(json.dumps(entries("elsewhere")))
    assert run("restore", "copy", "--yes", db_config="other.json")[0] == 0
    assert (kept("library", root="elsewhere"), kept("tavern", "_outbox", root="elsewhere")) == ({"bob": 10}, {"one": "waiting"})
    assert kept("tavern", "_presence", root="elsewhere") == {}
    listed = json.loads(CliRunner().invoke(build_app(ChannelService), ["cleared", "list", "--json", "--db-config", "db_config.json"]).stdout)
    copy = [each["file"] for each in listed if each["dict"] == "service_1.channel_tavern.health_bars"][0]  # noqa: RUF015 - the newest comes first
    done = CliRunner().invoke(build_app(ChannelService), ["cleared", "restore", copy, "--yes", "--db-config", "db_config.json"])
    assert (done.exit_code, kept("tavern")) == (0, {"ann": 1}), done.output


def test_a_backup_of_one_channel_touches_no_other(folder: Path) -> None:
    fill("tavern", ann=80)
    fill("library", bob=10)
    assert run("backup", "copy", "--channel", "tavern")[0] == 0
    fill("tavern", ann=1)
    fill("tavern", "mana_bars", later=1)
    assert run("restore", "copy", "--yes", "--replace")[0] == 0
    assert (kept("tavern"), kept("tavern", "mana_bars"), kept("library")) == ({"ann": 80}, {}, {"bob": 10})
    code, said = run("backup", "other", "--channel", "nowhere")
    assert code == 1 and "nothing is kept of a channel nowhere" in said and not Path("other").exists()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (("restore", "copy", "--yes"), "say --replace"),
        (("restore", "copy", "--channel", "nowhere", "--yes"), "look for the right id or name"),
        (("restore", "none", "--yes"), "none: No such file"),
        (("restore", "service.json", "--yes"), "service.json is damaged, or no backup"),
        (("restore", "cut", "--yes"), "cut is damaged, or no backup"),
        (("backup", "copy"), "copy is there already; remove it, or name another file"),
        (("backup", "no/copy"), "no is no folder; make it"),
    ],
)
def test_what_cannot_be_is_told_in_one_line_and_changes_nothing(folder: Path, line: tuple[str, ...], said: str) -> None:
    fill("tavern", ann=80)
    assert run("backup", "copy")[0] == 0
    Path("cut").write_bytes(Path("copy").read_bytes()[:-20])
    fill("tavern", ann=1)
    code, output = run(*line)
    assert code == 1 and said in output, output
    assert kept("tavern") == {"ann": 1}


@pytest.mark.parametrize(
    ("call", "said", "after"), [("write", "Nothing was restored", 1), ("rename", "", None), ("remove_folder", "next start puts it there", 80)]
)
def test_a_disk_that_refuses_leaves_one_state_or_the_other(
    folder: Path, monkeypatch: pytest.MonkeyPatch, call: str, said: str, after: int | None
) -> None:
    fill("tavern", ann=80)
    assert run("backup", "copy")[0] == 0
    fill("tavern", ann=1)

    def refuse(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Files, call, refuse)
        code, output = run("restore", "copy", "--yes", "--replace")
    assert code == 1 and said in output and "No space left on device" in output, output
    assert kept("tavern") in ([{"ann": 80}, {"ann": 1}] if after is None else [{"ann": after}])


def test_what_is_not_in_folders_is_not_left_out_in_silence(folder: Path) -> None:
    fill("tavern", ann=80)
    mixed = [*entries(), {"implementation": "redis", "name": "shared", "settings": {"host": "127.0.0.1"}}]
    Path("db_config.json").write_text(json.dumps(mixed))
    code, said = run("backup", "copy")
    assert code == 1 and "shared are not kept in folders" in said and not Path("copy").exists()
    assert run("backup", "copy", "--only-folders")[0] == 0
    Path("db_config.json").write_text(json.dumps([{**entry, "implementation": "redis", "settings": {}} for entry in entries()]))
    code, said = run("restore", "copy", "--yes")
    assert code == 1 and "mooring migrate" in said


def test_a_backup_of_another_service_is_refused(folder: Path) -> None:
    fill("tavern", ann=80)
    assert run("backup", "copy")[0] == 0
    Path("service.json").write_text(json.dumps({"service_id": "2", "channels": ["tavern"]}))
    code, said = run("restore", "copy", "--yes")
    assert code == 1 and "is of the service '1'" in said, said
