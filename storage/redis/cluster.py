"""The nodes of a cluster: which one has a slot, and where a slot is while it moves.

redis-py has a client for clusters, too. It waits and repeats by itself, asks for more rights, and has to be gone around for
each command; what would be left of it is this map.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot
from redis.exceptions import AskError, ClusterDownError, ClusterError, MovedError

from storage.redis.address import RedisAddress
from storage.redis.connections import Pooled, connect_to
from storage.redis.failures import NoAnswer, NotSent

_MOST_MOVES = 5
"""How often a command follows a slot that moves between the nodes."""

Node = tuple[str, int]
"""Host and port."""

_Route = tuple[Node, bool]
"""The node to ask, and whether it has to be told that another one sent us."""


class Clustered:
    """Connections to the nodes of a cluster; the commands for one node are sent together. Thread-safe."""

    def __init__(self, address: RedisAddress) -> None:
        self._address = address
        self._pools: dict[Node, Pooled] = {}
        self._owners: Sequence[Node | None] = ()
        """The primary of each slot; empty until it was asked for."""
        self._lock = threading.Lock()

    def exchange(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
        if not self._owners:
            self._find_nodes(self._owners)
        answers: list[Any] = [None] * len(commands)
        waiting: dict[int, _Route | None] = dict.fromkeys(range(len(commands)))
        for _ in range(_MOST_MOVES):
            waiting = self._ask(commands, waiting, answers)
            if not waiting:
                break
        return answers

    def close(self) -> None:
        for pool in self._pools.values():
            pool.close()

    def _ask(self, commands: Sequence[Sequence[Any]], waiting: dict[int, _Route | None], answers: list[Any]) -> dict[int, _Route | None]:
        """Fills in the answers, and returns what another node has to answer."""
        owners = self._owners
        by_node: dict[Node, list[tuple[int, bool]]] = {}
        for place, route in waiting.items():
            node, was_sent = route or (owners[_slot(commands[place])], False)
            if node is None:
                answers[place] = NotSent(ClusterError(f"no node has slot {_slot(commands[place])}"))
            else:
                by_node.setdefault(node, []).append((place, was_sent))
        for node, asked in by_node.items():
            for (place, _), answer in zip(asked, self._ask_node(node, commands, asked), strict=True):
                answers[place] = answer
        if any(isinstance(answers[place], NoAnswer | MovedError | ClusterDownError) for place in waiting):
            # Perhaps a replica has its place by now; whoever asked may ask again.
            self._find_nodes(owners)
        return {place: _onwards(answers[place]) for place in waiting if isinstance(answers[place], AskError)}

    def _ask_node(self, node: Node, commands: Sequence[Sequence[Any]], asked: Sequence[tuple[int, bool]]) -> list[Any]:
        line: list[Sequence[Any]] = []
        for place, was_sent in asked:
            line += [("ASKING",), commands[place]] if was_sent else [commands[place]]
        try:
            answers = iter(self._pool(node).exchange(line))
        except NoAnswer as error:
            return [error] * len(asked)
        return [(next(answers), next(answers))[1] if was_sent else next(answers) for _, was_sent in asked]

    def _pool(self, node: Node) -> Pooled:
        pool = self._pools.get(node)
        if pool is None:
            pool = self._pools.setdefault(node, connect_to(*node, self._address))
        return pool

    def _find_nodes(self, known: Sequence[Node | None]) -> None:
        """Ask again which node has which slot, unless somebody did since `known`. Raises NotSent if nobody says, and nobody ever did."""
        failure: Exception = ClusterError("no node was found")
        with self._lock:
            until = time.monotonic() + self._address.connect_timeout
            if self._owners is not known:
                return
            # Those of the config last: they may be names that lead to nodes of which nobody here has heard.
            for node in dict.fromkeys([*filter(None, self._owners), *self._address.hosts]):
                try:
                    self._owners = self._slots(node)
                    return
                except Exception as error:  # noqa: BLE001 - whatever it is, the next node may answer
                    failure = error
                if time.monotonic() > until:
                    break
            if not self._owners:
                raise failure if isinstance(failure, NotSent) else NotSent(failure)

    def _slots(self, asked: Node) -> list[Node | None]:
        (answer,) = self._pool(asked).ask([("CLUSTER SLOTS",)])
        if isinstance(answer, Exception):
            raise answer
        owners: list[Node | None] = [None] * REDIS_CLUSTER_HASH_SLOTS
        for first, last, (host, port, *_), *_ in answer:
            # A node that does not know its own name means the one by which it was asked.
            name = host.decode() if host and host != b"?" else asked[0]
            owners[first : last + 1] = [(name, port)] * (last + 1 - first)
        return owners


def _slot(command: Sequence[Any]) -> int:
    key = command[3] if command[0] in {"EVAL", "EVALSHA"} else command[1]
    return key_slot(key if isinstance(key, bytes) else str(key).encode())


def _onwards(answer: AskError) -> _Route | None:
    """Where a node sends us; None is the node that has the slot for good."""
    return None if isinstance(answer, MovedError) else ((answer.host, answer.port), True)
