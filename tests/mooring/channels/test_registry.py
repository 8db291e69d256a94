"""What is kept of channels that are made at run time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from mooring.channels.registry import ChannelRegistry
from mooring.channels.system_dicts import AGENTS, OF_THE_REGISTRY, OF_THE_SERVICE, ServiceDicts
from mooring.made_channels import ChannelRefused
from storage import MoobiusStorage
from storage.domains import domain_of
from tests.service_for_tests import json_dicts


@contextmanager
def registry(root: Path) -> Iterator[ChannelRegistry]:
    with closing(ChannelRegistry("1", json_dicts(root))) as opened:
        yield opened


def test_what_is_made_is_there_after_a_restart(tmp_path: Path) -> None:
    with registry(tmp_path) as channels:
        channels.create({"id": "club", "name": "The Club"})
        channels.update("club", {"name": "The Other Club", "welcome": "Hello"})
        channels.create({"id": "attic"})
        channels.archive("attic")
    with registry(tmp_path) as channels:
        assert [(made.id, made.is_open) for made in channels.all()] == [("club", True), ("attic", False)]
        assert channels.all()[0].config == {"id": "club", "name": "The Other Club", "welcome": "Hello"}


def test_a_deleted_id_that_is_given_again_is_another_channel_and_each_has_a_number_of_its_own(tmp_path: Path) -> None:
    with registry(tmp_path) as channels:
        numbers = [channels.create({"id": "club"}).incarnation]
        for _ in range(3):
            channels.delete("club")
            numbers.append(channels.create({"id": "club"}).incarnation)
        assert numbers == [1, 2, 3, 4]
        channels.delete("club")
        assert channels.open("club").incarnation == 4, "the newest comes back"
        channels.delete("club")
        newest = channels.deleted()[-1]
        channels.forget(newest)
        assert channels.open("club").incarnation == 3
        channels.delete("club")
        assert channels.create({"id": "club"}).incarnation == 5, "a number is never given again, even if what had it was pruned"


def test_an_id_that_the_config_named_is_another_channel_when_it_is_made_at_run_time(tmp_path: Path) -> None:
    with registry(tmp_path) as channels:
        channels.note_configured(["club", "tavern"])
        made = channels.create({"id": "club"})
        assert made.incarnation == 2
        assert [(each.id, each.incarnation) for each in channels.deleted()] == [("club", 1)], "what it was before can be pruned"
        channels.delete("club")
        channels.note_configured(["club"])
        assert channels.incarnation("club") == 3, "and the config brings back neither"


@pytest.mark.parametrize("act", ["update", "archive", "open", "delete"])
def test_what_is_not_there_cannot_be_changed_and_the_nearest_is_named(tmp_path: Path, act: str) -> None:
    with registry(tmp_path) as channels:
        channels.create({"id": "tavern"})
        with pytest.raises(ChannelRefused, match="Did you mean tavern"):
            getattr(channels, act)(*(("tavren", {}) if act == "update" else ("tavren",)))


def test_an_event_that_is_handled_again_makes_its_channel_once(tmp_path: Path) -> None:
    with registry(tmp_path) as channels:
        first = channels.create({"id": "club"}, request="event 1")
        assert channels.create({"id": "club"}, request="event 1") == first
        with pytest.raises(ChannelRefused, match="already"):
            channels.create({"id": "club"}, request="event 2")


HOSTILE = ["agents", "channels", "gateway", "tavern%service", "x%made2", "x/deliveries", "x%deliveries", "x.y", "%", "", "x%25made2", "ä\udcff"]


def test_no_id_meets_another_one_or_what_belongs_to_the_service() -> None:
    variants = ["", "service", "deliveries", "made2", "made2-deliveries"]
    domains = [domain_of("1", channel_id, "_agents", variant) for channel_id in HOSTILE for variant in variants]
    assert len(set(domains)) == len(domains)
    with pytest.raises(ValueError, match="variant"):
        domain_of("1", "x", "y", "2Emade")


def test_what_a_plugin_keeps_for_the_service_meets_nothing_of_the_services_own(tmp_path: Path) -> None:
    with OF_THE_SERVICE.open("1", json_dicts(tmp_path)) as own, ServiceDicts("agents", (AGENTS,)).open("1", json_dicts(tmp_path)) as plugins:
        AGENTS.of(own)["helper"] = {"name": "Helper"}
        assert not AGENTS.of(plugins)


def test_storages_of_one_id_and_several_variants_are_apart_on_disk_too(tmp_path: Path) -> None:
    entries = json_dicts(tmp_path, "bars")
    for variant in ("", "made2", "service"):
        with MoobiusStorage("1", "agents", entries, variant=variant) as storage:
            assert not storage.bars, variant
            storage.bars["ann"] = variant
    for variant in ("", "made2", "service"):
        with MoobiusStorage("1", "agents", entries, variant=variant) as storage:
            assert dict(storage.bars) == {"ann": variant}


WRONG = [5, [], "x", None, {}, {"config": 5}, {"config": {}, "incarnation": 1}, {"config": {"id": "club"}, "incarnation": "x"}]


@pytest.mark.parametrize("name", ["channels", "deleted", "incarnations"])
@pytest.mark.parametrize("wrong", WRONG, ids=repr)
def test_a_record_that_is_none_costs_its_own_channel_alone(tmp_path: Path, name: str, wrong: Any, caplog: pytest.LogCaptureFixture) -> None:
    with registry(tmp_path) as channels:
        channels.note_configured(["tavern"])
        for each in ("club", "attic"):
            channels.create({"id": each})
        channels.delete("club")
        number = channels.create({"id": "club"}).incarnation
    with OF_THE_REGISTRY.open("1", json_dicts(tmp_path)) as storage:
        storage.system(name)["1/club" if name == "deleted" else "club"] = wrong
    with registry(tmp_path) as channels:
        there = [made.id for made in channels.all()]
        assert there == (["attic"] if name == "channels" else ["attic", "club"])
        assert channels.incarnation("tavern") == 1
        assert name == "channels" or channels.incarnation("club") == number
        if name == "channels":
            channels.create({"id": "club"})
        else:
            channels.delete("club")
            channels.create({"id": "club"})
        assert channels.incarnation("club") > number, "it has nobody else's data"
    assert "it was set aside" in caplog.text
    with OF_THE_REGISTRY.open("1", json_dicts(tmp_path)) as storage:
        assert storage.system("set_aside")[f"{name}/{'1/club' if name == 'deleted' else 'club'}"] == wrong
