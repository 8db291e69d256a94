"""A real homeserver on loopback, a process of the test's own, and people in its rooms.

People come by an application service, which may speak for anybody: no passwords, and no limits unless a test asks for them.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.process_for_tests import die_with_the_tests
from tests.shared.ports_for_tests import free_ports
from tests.waiting_for_tests import wait_for

PYTHON = Path(sys.prefix) / "synapse" / "bin" / "python"
_SECRET = "registering"
_PASSWORD = "password"


@dataclass
class _Read:
    """What was read of a room."""

    events: list[dict[str, Any]] = field(default_factory=list)
    before: list[dict[str, Any]] = field(default_factory=list)
    """What comes before the token `start`."""
    start: str = ""
    until: float = 0.0


class Synapse:
    """One homeserver, called `localhost`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_ports(1)[0]
        self.address = f"http://127.0.0.1:{self.port}"
        self.client = httpx.Client(base_url=f"{self.address}/_matrix/client/v3", trust_env=False, timeout=30)
        self._known: set[str] = set()
        self._admin = ""
        self._read: dict[str, _Read] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._write_config()

    def start(self) -> None:
        command = [str(PYTHON), "-m", "synapse.app.homeserver", "--config-path", "homeserver.json"]
        with (self.folder / "synapse.log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=self.folder,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_the_tests,  # noqa: PLW1509 - it takes no lock
            )
        wait_for(self._answers, 30)

    def stop(self, number: int = signal.SIGKILL) -> None:
        assert self._process is not None
        self._process.send_signal(number)
        self._process.wait()

    def admin(self) -> str:
        """The access token of an administrator."""
        if not self._admin:
            self._admin = self.register("admin", is_admin=True)
        return self._admin

    def log_in(self, user: str) -> str:
        """Another access token of an account that was registered."""
        told = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": user}, "password": _PASSWORD}
        token: str = self.client.post("login", json=told).json()["access_token"]
        return token

    def register(self, name: str, *, is_admin: bool = False) -> str:
        """Make an account as an administrator does, and return its access token."""
        path = f"{self.address}/_synapse/admin/v1/register"
        nonce = self.client.get(path).json()["nonce"]
        signed = "\0".join((nonce, name, _PASSWORD, "admin" if is_admin else "notadmin"))
        mac = hmac.new(_SECRET.encode(), signed.encode(), hashlib.sha1).hexdigest()
        given = {"nonce": nonce, "username": name, "password": _PASSWORD, "admin": is_admin, "mac": mac}
        told = self.client.post(path, json=given).json()
        token: str = told["access_token"]
        return token

    def ask(self, method: str, path: str, user: str = "", *, token: str = "people", **given: Any) -> dict[str, Any]:
        """One request by somebody, of whom the homeserver need not know yet; or with a token, by its owner."""
        if user and user not in self._known:
            self._known.add(user)
            self.client.post("register", json={"type": "m.login.application_service", "username": user}, headers=_bearer(token))
        query = {**given.pop("query", {}), **({"user_id": f"@{user}:localhost"} if user else {})}
        answer = self.client.request(method, path, params=query, headers=_bearer(token), **given)
        assert answer.status_code == 200, f"{method} {path}: {answer.status_code} {answer.text}"
        found: dict[str, Any] = answer.json()
        return found

    def make_room(self, *people: str, by: str = "owner", bot: str = "", is_private: bool = False) -> str:
        """A room in which they are; the bot comes in by its token."""
        room: str = self.ask("POST", "createRoom", by, json={"preset": "public_chat"})["room_id"]
        for user in people:
            self.enter(room, user)
        if bot:
            self.ask("POST", f"join/{quote(room)}", token=bot, json={})
        if is_private:
            rule = {"join_rule": "invite"}
            self.ask("PUT", f"rooms/{quote(room)}/state/m.room.join_rules", by, json=rule)
        return room

    def enter(self, room: str, user: str, name: str = "") -> None:
        member = {"membership": "join", **({"displayname": name} if name else {})}
        self.ask("PUT", f"rooms/{quote(room)}/state/m.room.member/{quote(f'@{user}:localhost')}", user, json=member)

    def say(self, room: str, user: str, text: str, *, event: str, **content: Any) -> str:
        """Somebody says something; the same `event` again is the same thing. The event's id."""
        return self.send(room, user, {"msgtype": "m.text", "body": text, **content}, event=event)

    def send(self, room: str, user: str, content: dict[str, Any], *, event: str, kind: str = "m.room.message") -> str:
        """Any event; without `event` it is a state of the room."""
        path = f"send/{kind}/{quote(event, safe='')}" if event else f"state/{kind}"
        event_id: str = self.ask("PUT", f"rooms/{quote(room)}/{path}", user, json=content)["event_id"]
        return event_id

    def events(self, room: str, by: str = "owner") -> list[dict[str, Any]]:
        """All that happened in a room, in order."""
        known = self._read.setdefault(room, _Read())
        if time.monotonic() < known.until:
            return known.events  # who waits for something asks all the time, and the homeserver has other work to do
        while True:
            query = {"dir": "f", "limit": "100", **({"from": known.start} if known.start else {})}
            page = self.ask("GET", f"rooms/{quote(room)}/messages", by, query=query)
            known.events = [*known.before, *page["chunk"]]
            if not page.get("end"):
                known.until = time.monotonic() + 0.1
                return known.events
            known.start, known.before = page["end"], known.events

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "synapse.log").read_text()[-3000:]
        try:
            return self.client.get(f"{self.address}/_matrix/client/versions").status_code == 200
        except httpx.TransportError:
            return False

    def _write_config(self) -> None:
        seed = base64.b64encode(os.urandom(32)).decode().rstrip("=")
        (self.folder / "signing.key").write_text(f"ed25519 a_1 {seed}\n")
        people = {"id": "people", "url": None, "as_token": "people", "hs_token": "homeserver", "sender_localpart": "people"}
        spaces = {"users": [{"exclusive": False, "regex": "@.*"}], "aliases": [], "rooms": []}
        (self.folder / "people.json").write_text(json.dumps({**people, "rate_limited": False, "namespaces": spaces}))
        handlers = {"all": {"class": "logging.StreamHandler"}}
        (self.folder / "log.json").write_text(json.dumps({"version": 1, "handlers": handlers, "root": {"level": "WARNING", "handlers": ["all"]}}))
        resources = [{"names": ["client"], "compress": False}]
        listener = {"port": self.port, "bind_addresses": ["127.0.0.1"], "type": "http", "tls": False, "resources": resources}
        plenty = {"per_second": 10_000, "burst_count": 10_000}
        config = {
            "server_name": "localhost",
            "pid_file": str(self.folder / "pid"),
            "listeners": [listener],
            "database": {"name": "sqlite3", "args": {"database": str(self.folder / "homeserver.db")}},
            "media_store_path": str(self.folder / "media"),
            "signing_key_path": str(self.folder / "signing.key"),
            "registration_shared_secret": _SECRET,
            "macaroon_secret_key": "macaroons",
            "form_secret": "forms",
            "bcrypt_rounds": 4,
            "report_stats": False,
            "trusted_key_servers": [],
            "app_service_config_files": [str(self.folder / "people.json")],
            "log_config": str(self.folder / "log.json"),
            # What takes time and no test needs.
            "presence": {"enabled": False},
            "stats": {"enabled": False},
            "push": {"enabled": False},
            "user_directory": {"enabled": False},
            "rc_message": plenty,
            "rc_joins": {"local": plenty, "remote": plenty},
        }
        (self.folder / "homeserver.json").write_text(json.dumps(config))


def started(folder: Path) -> Synapse:
    """A homeserver of one's own. Skips the test where it is not installed, which must not happen in CI."""
    if not PYTHON.exists():
        assert "CI" not in os.environ, "CI installs Synapse, with `make synapse`"
        pytest.skip("Synapse is not installed: make synapse")
    synapse = Synapse(folder)
    synapse.start()
    return synapse


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
