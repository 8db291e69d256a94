"""NullDatabase: what only an engine that keeps nothing does."""

from __future__ import annotations

from storage.database_interface import DomainChanges, Origin
from storage.null.database import NullDatabase


async def test_writes_succeed_and_nothing_is_kept() -> None:
    engine = NullDatabase("service_1.channel_tavern.sessions")
    assert engine.set_value("ann", {"hp": 80}) == (True, "ann")
    engine.commit_batch([DomainChanges(engine, [("bob", b"1")])], Origin(), sync=True)
    await engine.commit_batch_async([DomainChanges(engine, [("eve", b"1")])], Origin(), sync=True)
    for key in ("ann", "bob", "eve"):
        succeeded, message = engine.get_value(key)
        assert not succeeded
        assert repr(key) in message
        assert engine.load_one(key) is None
        assert engine.delete_key(key) == (True, key)
    assert list(engine.all_keys()) == []
    assert engine.load_all() == {}


def test_all_of_them_commit_together() -> None:
    assert NullDatabase("one").group() == NullDatabase("other").group()


def test_it_refuses_what_a_keeping_engine_refuses() -> None:
    succeeded, message = NullDatabase().set_value("ann", {"hp": float("nan")})
    assert not succeeded
    assert 'value["hp"]' in message
