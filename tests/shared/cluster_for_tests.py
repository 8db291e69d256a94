"""A cluster on loopback: three primaries, and a replica of each if it is asked for."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import redis

from tests.shared.ports_for_tests import free_ports
from tests.shared.servers_for_tests import KIND, Server
from tests.waiting_for_tests import wait_for

SLOTS = 16384
PRIMARIES = 3
_SECONDS = 30


class Cluster:
    """`with` starts it and waits until all of it is well."""

    def __init__(self, folder: Path, *options: str, replicas: bool = True, kind: str = KIND) -> None:
        # The bus of each node listens 10000 ports higher.
        self.ports = free_ports((2 if replicas else 1) * PRIMARIES, below=50_000)
        self.nodes = []
        for port in self.ports:
            (folder / str(port)).mkdir()
            own = ["--cluster-enabled", "yes", "--cluster-node-timeout", "1500", "--cluster-config-file", "nodes.conf"]
            self.nodes.append(Server(folder / str(port), *own, *options, kind=kind, port=port))

    def __enter__(self) -> Cluster:
        try:
            self.start()
            self._join()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *details: object) -> None:
        for node in self.nodes:
            node.kill()

    @property
    def url(self) -> str:
        return "redis+cluster://" + ",".join(f"127.0.0.1:{port}" for port in self.ports)

    def start(self) -> None:
        """Start all nodes that do not run."""
        for node in self.nodes:
            if not node.is_running:
                node.start()
        for node in self.nodes:
            node.wait()

    def kill(self) -> None:
        """Kill all nodes; `start` and `wait` bring them back."""
        for node in self.nodes:
            node.kill()

    def wait(self) -> None:
        """Until all nodes that run find the cluster well."""
        running = [node for node in self.nodes if node.is_running]
        wait_for(lambda: all("cluster_state:ok" in _told(node, "INFO") for node in running), _SECONDS)

    def primary_of(self, slot: int) -> Server:
        """The node that had the slot at the beginning."""
        return self.nodes[slot * PRIMARIES // SLOTS]

    def kill_primary_of(self, slot: int) -> None:
        """Let the node that has the slot die; its replica takes its place after a while."""
        self.primary_of(slot).kill()

    def _join(self) -> None:
        with ExitStack() as stack:
            nodes: list[Any] = [stack.enter_context(node.raw()) for node in self.nodes]
            for number, node in enumerate(nodes[:PRIMARIES]):
                first, last = -(-number * SLOTS // PRIMARIES), -(-(number + 1) * SLOTS // PRIMARIES) - 1
                node.execute_command("CLUSTER", "ADDSLOTSRANGE", first, last)
            for port in self.ports[1:]:
                nodes[0].execute_command("CLUSTER", "MEET", "127.0.0.1", port)
            wait_for(lambda: all(_told(node, "NODES").count("\n") == len(nodes) for node in self.nodes), _SECONDS)
            for primary, replica in zip(nodes, nodes[PRIMARIES:], strict=False):
                name = primary.execute_command("CLUSTER", "MYID")
                wait_for(partial(_replicates, replica, name), _SECONDS)
            wait_for(lambda: all(node.info("replication").get("master_link_status") == "up" for node in nodes[PRIMARIES:]), _SECONDS)
            # And the primaries have heard of it, which they count when they are asked to wait for replicas.
            followed = nodes[: len(nodes) - PRIMARIES]
            wait_for(lambda: all(node.info("replication").get("slave0", {}).get("state") == "online" for node in followed), _SECONDS)
        self.wait()


class Migration:
    """A slot on its way: what the tools of Redis do step by step when they move one."""

    def __init__(self, slot: int, source: Server, target: Server) -> None:
        self._slot = slot
        self._target = target
        self._ends = ExitStack()
        self._from: Any = self._ends.enter_context(source.raw())
        self._to: Any = self._ends.enter_context(target.raw())
        self._names = [raw.execute_command("CLUSTER", "MYID") for raw in (self._from, self._to)]
        self._to.execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", self._names[0])
        self._from.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", self._names[1])

    def move(self, count: int) -> int:
        """Take so many keys of the slot over; how many there were."""
        keys = self._from.execute_command("CLUSTER", "GETKEYSINSLOT", self._slot, count)
        for key in keys:
            self._from.execute_command("MIGRATE", "127.0.0.1", self._target.port, key, 0, 5000)
        return len(keys)

    def finish(self) -> None:
        """Take over what is left, and let all know."""
        while self.move(100):
            pass
        for raw in (self._to, self._from):
            raw.execute_command("CLUSTER", "SETSLOT", self._slot, "NODE", self._names[1])
        self._ends.close()


def _told(node: Server, what: str) -> str:
    with node.raw() as raw:
        answer = raw.execute_command("CLUSTER", what)
    return answer.decode() if isinstance(answer, bytes) else str(answer)


def _replicates(node: Any, primary: Any) -> bool:
    try:
        return bool(node.execute_command("CLUSTER", "REPLICATE", primary))
    except redis.ResponseError:
        return False  # it has not heard of that one yet
