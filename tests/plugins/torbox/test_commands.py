"""`/torbox ...` as members type it, with a TorBox that answers over HTTP."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from tinydb import TinyDB

from mooring.events import PROGRESS, Down
from mooring.plugins.torbox.database_functions import closeAllDatabases, getAllData, getDatabase, insertData
from mooring.testing import Bot, MakeBot
from tests.plugins.torbox.torbox_server import KEY, TorBoxServer, Trouble, make_item, make_items

EVERYTHING = ("torrents", "usenet", "webdl")


@pytest.fixture
def bot(make_bot: MakeBot, server: TorBoxServer, key: str, monkeypatch: pytest.MonkeyPatch) -> Bot:
    monkeypatch.setenv("TORBOX_API_URL", server.url)
    bot = make_bot("torbox", members=["ann", "bob"])
    bot.join("mod", role="moderator")
    return bot


def downs(bot: Bot) -> list[Down]:
    return bot._gateway.heard


def say(bot: Bot, name: str, line: str) -> list[str]:
    """What the line brings, work in the background included."""
    before = len(downs(bot))
    answer = bot.say(name, line)
    bot.settle()
    texts = [down.body.content.text for down in downs(bot)[before:] if down.type == "message_down" and down.number and down.body.sender != name]
    return texts or [answer]


def table_of(bot: Bot) -> dict[str, Any]:
    """The newest table."""
    return next(down.body.context["table"] for down in reversed(downs(bot)) if down.type == "message_down" and "table" in (down.body.context or {}))


def stored(kind: str) -> list[Any]:
    return getAllData(kind)[0] or []


def test_sync_list_search_info_stats(bot: Bot, server: TorBoxServer) -> None:
    server.items["torrents"] = [*make_items(300), make_item(777, name="The.Matrix.1999.1080p.BluRay.x264-GRP")]
    server.items["usenet"] = [make_item(5, files=3, name="Some.Show.S01.1080p")]
    answer = say(bot, "ann", "/torbox sync")
    assert len(answer) == 1
    assert "torrents (+301 -0, 0 changed)" in answer[0]
    assert "usenet (+3 -0, 0 changed)" in answer[0]
    assert len(stored("torrents")) == 301

    assert say(bot, "ann", "/torbox list torrents 16")[0].startswith("301 files of torrents, page 16 of 16")
    assert len(table_of(bot)["rows"]) == 1
    bot.say("ann", "/torbox list usenet")
    assert [row[3] for row in table_of(bot)["rows"]] == ["S01E01", "S01E02", "S01E03"]
    assert bot.say("ann", "/torbox list torrents 17") == "There is no page 17 of torrents: the last one is 16."
    assert bot.say("ann", "/torbox list webdl") == "There are no files of webdl yet. /torbox sync fetches them."

    bot.say("bob", "/torbox search matrix 1999")
    assert [row[:3] for row in table_of(bot)["rows"]] == [["torrents/777/0", "The Matrix", "1999"]]
    assert bot.say("bob", "/torbox search nothing has this") == "No file has all of these words."

    info = bot.say("bob", "/torbox info torrents/777/0")
    assert "metadata_title | The Matrix" in info
    bot.say("bob", "/torbox info usenet/5")
    assert len(table_of(bot)["rows"]) == 3
    assert bot.say("bob", "/torbox info 99999") == "There is no file 99999 in the cache. /torbox list and /torbox search show the ids."
    assert "no id of a file" in bot.say("bob", "/torbox info ../x")

    bot.say("bob", "/torbox stats")
    rows = {row[0]: row for row in table_of(bot)["rows"]}
    assert rows["torrents"][1] == "301"
    assert rows["usenet"][3] == "1"
    assert rows["torrents"][4].endswith("old")


def test_the_age_of_each_list_is_measured(bot: Bot, server: TorBoxServer) -> None:
    def ages() -> dict[str, float]:
        page = bot.service.metrics_page().decode()
        return {kind: float(age) for kind, age in re.findall(r'^torbox_refresh_age_seconds\{kind="(\w+)"\} (\S+)$', page, re.MULTILINE)}

    assert ages() == {}, "none was ever fetched"
    say(bot, "ann", "/torbox sync torrents")
    assert ages().keys() == {"torrents"}
    first = ages()["torrents"]
    assert ages()["torrents"] > first
    closeAllDatabases()
    assert ages()["torrents"] > first


def test_a_record_has_the_documented_fields(bot: Bot, server: TorBoxServer) -> None:
    server.items["webdl"] = [make_item(7, name="The.Matrix.1999.1080p")]
    say(bot, "ann", "/torbox sync webdl")
    assert stored("webdl") == [
        {
            "item_id": 7,
            "type": "webdl",
            "folder_name": "The.Matrix.1999.1080p",
            "folder_hash": f"{7:040x}",
            "file_id": 0,
            "file_name": "The.Matrix.1999.1080p.mkv",
            "file_size": 7_000_000,
            "file_mimetype": "video/x-matroska",
            "path": "The.Matrix.1999.1080p/The.Matrix.1999.1080p.0.mkv",
            "extension": ".mkv",
            "metadata_title": "The Matrix",
            "metadata_years": 1999,
            "metadata_season": None,
            "metadata_episode": None,
            "metadata_mediatype": "movie",
            "metadata_filename": "The Matrix (1999).mkv",
            "metadata_rootfoldername": "The Matrix (1999)",
        }
    ]


def test_progress_is_one_message_that_is_updated(bot: Bot, server: TorBoxServer) -> None:
    server.items["torrents"] = make_items(120)
    say(bot, "ann", "/torbox sync torrents")
    shown = [down for down in downs(bot) if down.type == "message_down" and down.body.subtype == PROGRESS]
    assert len({down.body.message_id for down in shown}) == 1
    assert len(shown) > 2
    assert [down.number > 0 for down in shown] == [False] * (len(shown) - 1) + [True]
    assert shown[-1].body.context["progress"]["done"] == 120


def test_a_second_sync_tells_the_difference(bot: Bot, server: TorBoxServer) -> None:
    server.items["torrents"] = make_items(20)
    say(bot, "ann", "/torbox sync torrents")
    server.items["torrents"] = [*make_items(17, first=2), *make_items(3, first=100)]
    server.items["torrents"][0]["files"][0]["size"] = 1
    server.items["torrents"][1]["files"][0]["size"] = 1
    assert "torrents (+3 -3, 2 changed)" in say(bot, "ann", "/torbox sync torrents")[0]


def test_items_of_a_wrong_shape_are_skipped_and_counted(bot: Bot, server: TorBoxServer) -> None:
    server.items["torrents"] = [*make_items(3), {"id": "x", "files": []}, 5, {"id": 9, "files": [{"id": 1, "mimetype": "video/mp4"}]}]
    assert "3 skipped" in say(bot, "ann", "/torbox sync torrents")[0]
    assert len(stored("torrents")) == 3


def test_downloads_that_are_not_there_yet_are_left_out(bot: Bot, server: TorBoxServer) -> None:
    server.items["torrents"] = make_items(2)
    server.items["torrents"][0].update(cached=False, download_finished=False)
    say(bot, "ann", "/torbox sync torrents")
    assert [record["item_id"] for record in stored("torrents")] == [2]


def test_a_failed_fetch_keeps_the_list_and_tells_its_age(bot: Bot, server: TorBoxServer) -> None:
    server.items["torrents"] = make_items(20)
    say(bot, "ann", "/torbox sync torrents")
    server.troubles.append(Trouble(body=b"<html>"))
    answer = "\n".join(say(bot, "ann", "/torbox sync torrents"))
    assert "body should be JSON" in answer
    assert re.search(r"The list that is kept is \d+s old and has 20 files\.", answer)
    assert len(stored("torrents")) == 20
    bot.say("ann", "/torbox stats")
    assert "body should be JSON" in {row[0]: row for row in table_of(bot)["rows"]}["torrents"][5]


def test_an_implausible_list_is_taken_only_when_a_moderator_forces_it(bot: Bot, server: TorBoxServer) -> None:
    server.items["torrents"] = make_items(200)
    say(bot, "ann", "/torbox sync torrents")
    server.items["torrents"] = make_items(2)
    answer = "\n".join(say(bot, "ann", "/torbox sync torrents"))
    assert "has 2 files, the one that is kept has 200" in answer
    assert "/torbox sync torrents force" in answer
    assert bot.say("ann", "/torbox sync torrents force") == "Only moderators of this channel can force a list to be taken."
    assert len(stored("torrents")) == 200
    assert "-198" in say(bot, "mod", "/torbox sync torrents force")[0]
    assert len(stored("torrents")) == 2


def test_without_a_key_it_says_how_to_set_one(make_bot: MakeBot, server: TorBoxServer) -> None:
    bot = make_bot("torbox")
    assert "TORBOX_API_KEY" in bot.say("ann", "/torbox sync")
    assert bot.say("ann", "/torbox list") == "There are no files of all kinds yet. /torbox sync fetches them."
    assert server.requests == []


def test_the_key_may_stand_in_a_file(make_bot: MakeBot, server: TorBoxServer, tmp_path: Path) -> None:
    (tmp_path / "key.txt").write_text(KEY + "\n")
    bot = make_bot("torbox", config={"torbox": {"api_key_file": str(tmp_path / "key.txt"), "api_url": server.url}})
    server.items["torrents"] = make_items(2)
    assert "+2" in say(bot, "ann", "/torbox sync torrents")[0]


@pytest.mark.parametrize("wrapped", [True, False])
def test_import_adds_and_updates_and_removes_nothing(bot: Bot, own_folder: Path, wrapped: bool) -> None:
    (own_folder / "torbox_import").mkdir()
    insertData({"item_id": 1, "note": "somebody's own"}, "usenet")
    items = make_items(12)
    (own_folder / "torbox_import" / "my usenet.json").write_text(json.dumps({"success": True, "data": items} if wrapped else items))
    assert "usenet: +12 -0, 0 changed" in say(bot, "ann", '/torbox import "my usenet.json"')[0]
    assert len(stored("usenet")) == 13
    assert "+0 -0, 0 changed" in say(bot, "ann", '/torbox import "my usenet.json"')[0]
    assert "torrents: +12" in say(bot, "ann", '/torbox import "my usenet.json" torrents')[0]


def test_what_an_import_changed_can_be_brought_back(bot: Bot, own_folder: Path, server: TorBoxServer) -> None:
    (own_folder / "torbox_import").mkdir()
    server.items["usenet"] = make_items(2)
    say(bot, "ann", "/torbox sync usenet")
    before = stored("usenet")
    changed = make_items(3)
    changed[0]["files"][0]["size"] = 5
    (own_folder / "torbox_import" / "usenet.json").write_text(json.dumps(changed))
    assert "+1 -0, 1 changed (/torbox restore usenet brings back" in say(bot, "ann", "/torbox import usenet.json")[0]
    assert "replaces the 3 records" in bot.say("mod", "/torbox restore usenet")
    assert say(bot, "mod", "/yes") == ["Brought back 2 records of usenet."]
    assert stored("usenet") == before


@pytest.mark.parametrize("name", ["../secret.json", "/etc/passwd", "link.json", "missing.json", "..", ".", "folder"])
def test_import_reads_nothing_outside_its_folder(bot: Bot, own_folder: Path, name: str) -> None:
    folder = own_folder / "torbox_import"
    (folder / "folder").mkdir(parents=True)
    (own_folder / "secret.json").write_text("[]")
    (folder / "link.json").symlink_to(own_folder / "secret.json")
    assert "There is no file" in bot.say("ann", f"/torbox import {name}")


@pytest.mark.parametrize(("text", "problem"), [("{", "not JSON"), ("{}", "does not look like a list"), ("5", "does not look like a list")])
def test_import_names_what_is_wrong_with_a_file(bot: Bot, own_folder: Path, text: str, problem: str) -> None:
    (own_folder / "torbox_import").mkdir()
    (own_folder / "torbox_import" / "broken.json").write_text(text)
    assert problem in bot.say("ann", "/torbox import broken.json")


def test_a_link_goes_to_the_asker_alone_and_is_kept_nowhere(bot: Bot, server: TorBoxServer, own_folder: Path) -> None:
    server.items["torrents"] = make_items(2)
    say(bot, "ann", "/torbox sync torrents")
    before = len(downs(bot))
    bot.say("ann", "/torbox link torrents/2/0")
    bot.settle()
    links = [down for down in downs(bot)[before:] if down.type == "message_down" and server.link in (down.body.content.text or "")]
    assert [(down.recipients, down.number) for down in links] == [(frozenset({"ann"}), 0)]
    assert links[0].body.content.link == server.link
    bot.restart()
    assert not any(server.link in path.read_text(errors="replace") for path in own_folder.rglob("*") if path.is_file())


def test_a_link_that_cannot_be_made_is_told_to_the_asker(bot: Bot, server: TorBoxServer) -> None:
    server.items["torrents"] = [make_item(1), make_item(2, files=2)]
    say(bot, "ann", "/torbox sync torrents")
    assert "means 2 files" in bot.say("ann", "/torbox link 2")
    server.items["torrents"] = []
    bot.say("ann", "/torbox link 1")
    bot.settle()
    told = [down for down in downs(bot) if down.type == "message_down" and "There is no such item" in (down.body.content.text or "")]
    assert [down.recipients for down in told] == [frozenset({"ann"})]


def test_clear_is_for_moderators_asks_first_and_has_a_way_back(bot: Bot, server: TorBoxServer) -> None:
    server.items["torrents"] = make_items(5)
    say(bot, "ann", "/torbox sync torrents")
    before = stored("torrents")
    assert "moderators" in bot.say("ann", "/torbox clear torrents")
    assert "removes all 5 records of torrents" in bot.say("mod", "/torbox clear torrents")
    assert stored("torrents") == before
    assert "/torbox restore torrents" in say(bot, "mod", "/yes")[0]
    assert stored("torrents") == []
    assert bot.say("mod", "/torbox clear torrents") == "There are no records of torrents."
    assert "moderators" in bot.say("ann", "/torbox restore torrents")
    assert say(bot, "mod", "/torbox restore torrents") == ["Brought back 5 records of torrents."]
    assert [(record.doc_id, record) for record in stored("torrents")] == [(record.doc_id, record) for record in before]
    assert "no copy" in bot.say("mod", "/torbox restore usenet")


def test_after_a_clear_the_next_sync_needs_no_force(bot: Bot, server: TorBoxServer) -> None:
    server.items["torrents"] = make_items(150)
    say(bot, "ann", "/torbox sync torrents")
    bot.say("mod", "/torbox clear torrents")
    say(bot, "mod", "/yes")
    server.items["torrents"] = make_items(1)
    assert "+1 -0" in say(bot, "ann", "/torbox sync torrents")[0]


def test_records_outlast_a_restart_and_the_file_is_tinydbs(bot: Bot, server: TorBoxServer, own_folder: Path) -> None:
    server.items["torrents"] = make_items(30)
    say(bot, "ann", "/torbox sync torrents")
    bot.restart()
    assert "30 files" in bot.say("ann", "/torbox list torrents")
    closeAllDatabases()
    with TinyDB(own_folder / "torbox_db" / "torrents.json") as stock:
        assert len(stock) == 30


def test_the_key_is_in_no_file_no_message_and_no_log(bot: Bot, server: TorBoxServer, own_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    server.items["torrents"] = make_items(3)
    server.items["usenet"] = [make_item(4, name=f"Leaked.{KEY}.2020")]
    server.troubles.append(Trouble(status=500))
    say(bot, "ann", "/torbox sync")
    say(bot, "ann", "/torbox link torrents/1/0")
    server.link = f"https://cdn.torbox.example/{KEY}"
    say(bot, "ann", "/torbox link torrents/1/0")
    assert len(stored("torrents")) == 3
    assert [record["folder_name"] for record in stored("usenet")] == [f"Leaked.{KEY}.2020"]
    for line in ("list", "search leaked", "info usenet/4", "stats"):
        say(bot, "bob", f"/torbox {line}")
    bot.restart()
    assert KEY not in repr(downs(bot))
    assert KEY not in caplog.text
    assert not any(KEY in path.read_text(errors="replace") for path in own_folder.rglob("*") if path.is_file())


def test_links_of_others_are_shown_to_nobody(bot: Bot) -> None:
    links = {
        "download_link": f"https://api.torbox.app/v1/api/torrents/requestdl?token={KEY}&torrent_id=7",
        "metadata_link": "https://x.example/?id=7",
    }
    insertData({"item_id": 7, "type": "torrents", "file_id": 0, "file_name": "heat.mkv", **links}, "torrents")
    info = bot.say("ann", "/torbox info torrents/7/0")
    assert "file_name | heat.mkv" in info
    assert "download_link | (a link; /torbox link gives you one of your own)" in info
    for line in ("info 7", "list", "search heat", "search requestdl"):
        bot.say("ann", f"/torbox {line}")
    assert not any(word in repr(downs(bot)) for word in ("https://", "token=", KEY))
    assert stored("torrents")[0]["download_link"] == links["download_link"]


def test_wrong_arguments_are_told_what_is_expected(bot: Bot) -> None:
    assert "torrents, usenet or webdl" in bot.say("ann", "/torbox list torents")
    assert "torrents" in bot.say("ann", "/torbox sync torrent")
    assert "Example: /torbox" in bot.say("ann", "/torbox info")
    assert "/torbox search" in bot.say("ann", "/torbox search")


def test_the_databases_of_the_commands_are_those_of_the_functions(bot: Bot, server: TorBoxServer) -> None:
    server.items["usenet"] = make_items(1)
    say(bot, "ann", "/torbox sync usenet")
    database = getDatabase("usenet")
    assert database is not None
    assert database.tables() == {"_default", "generation"}
