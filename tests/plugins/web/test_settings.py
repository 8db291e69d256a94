"""Settings of the page that cannot be used: each is told by name, before anybody could come in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from mooring import PluginError
from mooring.plugins.web.config import Config
from mooring.plugins.web.listener import check_host
from mooring.plugins.web.tls import server_context


@pytest.mark.parametrize("host", ["https://chat.example.org", "chat.example.org/", "chat.example.org:8443", "a b", "me@example.org", ""])
def test_an_allowed_host_is_a_name_alone(host: str) -> None:
    with pytest.raises(ValidationError, match="is no host name"):
        Config(allowed_hosts=[host])


@pytest.mark.parametrize(("host", "kept"), [("Chat.Example.org", "chat.example.org"), ("10.0.0.1", "10.0.0.1"), ("[::1]", "::1"), ("::1", "::1")])
def test_an_allowed_host_is_kept_as_browsers_send_it(host: str, kept: str) -> None:
    assert Config(allowed_hosts=[host]).allowed_hosts == [kept]


@pytest.mark.parametrize("origin", ["example.org", "https://example.org/", "ftp://example.org", "https://example.org/x", "https://", "*"])
def test_an_allowed_origin_has_a_scheme_and_no_path(origin: str) -> None:
    with pytest.raises(ValidationError, match="is no origin"):
        Config(allowed_origins=[origin])


def test_good_origins_stay() -> None:
    good = ["https://example.org", "http://localhost:3000", "https://[::1]:8443"]
    assert Config(allowed_origins=good).allowed_origins == good


async def test_a_host_that_is_none_is_named() -> None:
    for host in ("no such host", "a" * 70, "x..y"):
        with pytest.raises(PluginError, match="there is no host"):
            await check_host(host)


@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_a_certificate_that_cannot_be_used_is_named(tmp_path: Path, content: str | None) -> None:
    file: Any = tmp_path / "cert.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(PluginError, match=r"cert\.pem"):
        server_context(file, None)


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_text("x")
    with pytest.raises(PluginError, match=r"the keyfile .*key\.pem cannot be read"):
        server_context(tmp_path / "cert.pem", tmp_path / "key.pem")


def test_paths_are_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CERTS", "/etc/certs")
    assert Config(certfile=Path("x"), keyfile="$CERTS/key.pem").keyfile == Path("/etc/certs/key.pem")  # type: ignore[arg-type]
