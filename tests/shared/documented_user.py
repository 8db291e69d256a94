"""Places on Redis for a user who has just the rights that docs/scaling.md names, and the engines that open them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.shared.cluster_for_tests import Cluster
from tests.shared.servers_for_tests import Server
from tests.waiting_for_tests import wait_for

PAGE = (Path(__file__).parents[2] / "docs" / "scaling.md").read_text("utf-8")
(_COMMAND,) = re.findall(r"^    ACL SETUSER (.*)$", PAGE, re.MULTILINE)
_LOGIN = {"username": "mooring", "password": "pw"}


def user(*, without: str = "") -> list[str]:
    """The words after `ACL SETUSER`, as the page has them."""
    return [word for word in _COMMAND.replace("PASSWORD", _LOGIN["password"]).split() if word != without]


def rights() -> list[str]:
    """The single rights among them."""
    return [word for word in user() if word.startswith("+")]


def besides(where: str) -> list[str]:
    """What the page's table gives that user besides, in the row whose first cell begins so."""
    (cell,) = re.findall(rf"^\| {re.escape(where)}[^|]*\| `(.*)` \|$", PAGE, re.MULTILINE)
    return [word.replace("\\|", "|") for word in cell.split()]


@dataclass
class Place:
    """Where dicts can be, and how engines are told of it. `nodes` are all servers of it that hold data."""

    settings: Mapping[str, Any]
    nodes: Sequence[Server]
    db: int = 0

    def flush(self) -> None:
        """Let nothing be in it."""
        for node in self.nodes:
            with node.raw(db=self.db) as raw:
                if raw.info("replication")["role"] == "master":
                    raw.flushdb()


@contextmanager
def one_server(folder: Path, kind: str) -> Iterator[Place]:
    with Server(folder, kind=kind) as server:
        _let_in([server])
        yield Place({"port": server.port, **_LOGIN}, [server])


@contextmanager
def another_database(folder: Path, kind: str) -> Iterator[Place]:
    with Server(folder, kind=kind) as server:
        _let_in([server], *besides("with a `db` other than 0"))
        yield Place({"port": server.port, "db": 3, **_LOGIN}, [server], 3)


@contextmanager
def sentinels(folder: Path, kind: str) -> Iterator[Place]:
    with ExitStack() as stack:
        primary = stack.enter_context(Server(folder, kind=kind))
        replica = stack.enter_context(Server(folder, "--replicaof", "127.0.0.1", str(primary.port), kind=kind))
        asked = []
        for _ in range(3):
            sentinel = Server(folder, kind=kind, sentinel=True)
            sentinel.config.write_text(f"sentinel monitor tavern 127.0.0.1 {primary.port} 2\n")
            asked.append(stack.enter_context(sentinel))
        _let_in([primary, replica])
        hosts = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in asked)
        with replica.raw() as raw:
            wait_for(lambda: raw.info("replication")["master_link_status"] == "up", 20)
        yield Place({"url": f"redis+sentinel://mooring:pw@{hosts}/tavern"}, [primary, replica])


@contextmanager
def cluster(folder: Path, kind: str) -> Iterator[Place]:
    with Cluster(folder, replicas=False, kind=kind) as started:
        _let_in(started.nodes, *besides("in a cluster"))
        yield Place({"url": started.url.replace("//", "//mooring:pw@")}, started.nodes)


PLACES: dict[str, Callable[[Path, str], Any]] = {
    "one server": one_server,
    "another database": another_database,
    "sentinels": sentinels,
    "cluster": cluster,
}


def _let_in(nodes: Sequence[Server], *more: str) -> None:
    for node in nodes:
        with node.raw() as raw:
            raw.execute_command("ACL SETUSER", *user(), *more)
