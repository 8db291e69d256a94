"""The ways to a server: by URL, with a user of few rights, over TLS, and through sentinels."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
import redis

from storage import MoobiusStorage, StorageError
from storage.redis.address import RedisAddress, read_settings
from storage.redis.database import RedisDatabase
from tests.shared.ports_for_tests import free_ports
from tests.shared.servers_for_tests import Server

pytestmark = pytest.mark.redis
ROOT = Path(__file__).parents[3]
DOMAIN = "service_1.channel_tavern.health"


def until(holds: Any, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while True:
        with suppress(redis.RedisError, OSError, StorageError):
            if holds():
                return
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://example.org/2", RedisAddress((("example.org", 6379),), 2)),
        ("redis://ann:p%40ss@h:7000", RedisAddress((("h", 7000),), 0, "ann", "p@ss")),
        ("unix:///run/valkey.sock?db=1", RedisAddress((), 1, kind="unix", service="/run/valkey.sock")),
        ("redis+cluster://a,b:7001,[::1]:7002", RedisAddress((("a", 6379), ("b", 7001), ("::1", 7002)), kind="cluster")),
        ("redis+sentinel://a,b:1/main/3", RedisAddress((("a", 26379), ("b", 1)), 3, kind="sentinel", service="main")),
    ],
)
def test_urls(url: str, expected: RedisAddress) -> None:
    assert read_settings({"url": url}) == expected
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("THE_URL", url)
        assert read_settings({"url_env": "THE_URL", "host": "not this one"}) == expected


MEANINGLESS = [
    "http://h",
    "redis://u:secret@h:port",
    "redis+sentinel://u:secret@h",
    "redis+cluster://u:secret@/",
    "redis://u:secret@h/x",
    "u:secret@h:6379",
    "redis//u:secret@h",
    "redis:/u:secret@h",
    "redis+cluster//u:secret@h",
    "://u:secret@h",
    "redis://u:secret@[::1",
    "redis://u:se/cret@h",
    "redis://u:se#cret@h",
    "redis://u:se?cret@h",
    "redis://:secret",
    "secret",
    "h/secret",
    "unix:///tmp/x?db=secret",
]


@pytest.mark.parametrize("url", MEANINGLESS)
def test_urls_that_mean_nothing_are_refused_without_telling_the_password(url: str) -> None:
    with pytest.raises(StorageError) as raised:
        read_settings({"url": url})
    assert "cret" not in str(raised.value)
    assert "\n" not in str(raised.value)
    with pytest.raises(StorageError) as raised:
        MoobiusStorage("1", "tavern", [{"implementation": "redis", "name": "bars", "settings": {"url": url}}])
    assert "cret" not in str(raised.value)


def test_tls(tmp_path: Path) -> None:
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    line = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    subprocess.run([*line, "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", cert], check=True, capture_output=True)
    (port,) = free_ports(1)
    options = ["--tls-port", str(port), "--tls-cert-file", str(cert), "--tls-key-file", str(key), "--tls-auth-clients", "no"]
    # Debian's server speaks TLS; that of the wheel does not.
    with Server(tmp_path, *options, kind="redis"):
        with closing(RedisDatabase(DOMAIN, url=f"rediss://localhost:{port}", tls_ca_file=str(cert))) as engine:
            assert engine.set_value("ann", 1) == (True, "ann")
            assert engine.get_value("ann") == (True, 1)
        with closing(RedisDatabase(DOMAIN, url=f"rediss://localhost:{port}")) as engine:
            assert "certificate" in engine.set_value("ann", 1)[1].lower()


def test_the_primary_that_the_sentinels_name_is_found_again_after_a_failover(tmp_path: Path) -> None:
    with Server(tmp_path) as primary, Server(tmp_path, "--replicaof", "127.0.0.1", str(primary.port)) as replica:
        sentinel = Server(tmp_path, sentinel=True)
        settings = ("down-after-milliseconds tavern 500", "failover-timeout tavern 2000")
        sentinel.config.write_text("\n".join([f"sentinel monitor tavern 127.0.0.1 {primary.port} 1", *(f"sentinel {line}" for line in settings)]))
        with replica.raw() as raw:
            until(lambda: raw.info("replication")["master_link_status"] == "up")
        with sentinel, sentinel.raw() as raw:
            until(lambda: raw.sentinel_slaves("tavern"))
            with closing(RedisDatabase(DOMAIN, url=f"redis+sentinel://127.0.0.1:{sentinel.port}/tavern", timeout=1.0)) as engine:
                until(lambda: engine.set_value("ann", 1) == (True, "ann"))
                primary.kill()
                until(lambda: engine.set_value("ann", 2) == (True, "ann"))
                assert engine.get_value("ann") == (True, 2)
            with replica.raw() as promoted:
                assert promoted.info("replication")["role"] == "master"


def test_a_forked_child_opens_engines_of_its_own_and_leaves_those_of_its_parent_alone(redis_port: int, fresh_domain: str) -> None:
    script = f"""
import os
from storage import RedisDatabase
parents = RedisDatabase({fresh_domain!r}, port={redis_port})
parents.set_value("ann", 1)
if os.fork() == 0:
    refused, message = parents.get_value("ann")
    parents.close()
    own = RedisDatabase({fresh_domain!r}, port={redis_port})
    os._exit(0 if not refused and "forked child" in message and own.set_value("bob", 2)[0] else 1)
assert os.wait()[1] == 0
assert parents.get_value("bob") == (True, 2)
"""
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, timeout=30)
