"""Whether a server takes writes is found out by a write that nobody notices."""

from __future__ import annotations

from contextlib import closing

import pytest

from storage.errors import StorageError
from storage.redis.database import RedisDatabase
from tests.shared.documented_user import user
from tests.shared.servers_for_tests import Server

pytestmark = pytest.mark.redis


def test_a_full_server_is_told_by_a_probe_and_reads_on(server: Server) -> None:
    with server.raw() as raw, closing(RedisDatabase("service_1.channel_x.bars", port=server.port)) as bars:
        assert bars.set_value("ann", 1)[0]
        keys, version = set(raw.scan_iter("*")), bars.version
        assert bars.probe() is True
        raw.config_set("maxmemory", 1)
        with pytest.raises(StorageError, match="maxmemory"):
            bars.probe()
        assert bars.get_value("ann") == (True, 1)
        raw.config_set("maxmemory", 0)
        assert bars.probe() is True
        assert (set(raw.scan_iter("*")), bars.version) == (keys, version)


def test_the_documented_rights_are_enough(server: Server) -> None:
    with server.raw() as raw:
        raw.execute_command("ACL SETUSER", *user())
        with closing(RedisDatabase("service_1.channel_x.bars", port=server.port, username="mooring", password="pw")) as bars:
            assert bars.probe() is True
