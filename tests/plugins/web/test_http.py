"""The HTTP side of the port: the page's files, the probes, and who may open a WebSocket."""

from __future__ import annotations

import asyncio
import re
import shutil
import socket
import ssl
import stat
import subprocess
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from mooring import PluginError
from mooring.plugins.web.site import PAGE
from tests.plugins.web.harness import Gateway, gateway


async def refused_with(place: Gateway, **options: object) -> int:
    """The HTTP status with which a WebSocket is refused, 101 if it is not."""
    try:
        async with connect(place.socket_address, proxy=None, **options):  # type: ignore[arg-type]
            return 101
    except InvalidStatus as refusal:
        return refusal.response.status_code


async def test_every_answer_keeps_browsers_out_of_harm(tmp_path: Path) -> None:
    async with gateway(tmp_path) as place:
        for path in ("/", "/app.js", "/style.css", "/healthz", "/readyz", "/metrics", "/nothing"):
            headers = (await place.get(path)).headers
            policy = headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "script-src 'self';" in policy
            assert "frame-ancestors 'none'" in policy
            assert "unsafe" not in policy
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "no-referrer"
            assert "server" not in headers


async def test_the_page_is_light_and_asks_nobody_else(tmp_path: Path) -> None:
    files = [file for file in PAGE.iterdir() if file.suffix in {".js", ".css"}]
    assert sum(file.stat().st_size for file in files) < 90_000
    assert len(files) + 2 <= 12, "the page, its files and the WebSocket"
    for file in PAGE.iterdir():
        text = file.read_text()
        for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", " style=", "onclick="):
            assert word not in text, f"{word} in {file.name}"
        outside = [each for each in re.findall(r"""["'(`](?:https?:)?//[\w.]+""", text) if "www.w3.org" not in each]
        assert not outside, f"{file.name} names {outside}"


async def test_files_are_known_by_their_tags(tmp_path: Path) -> None:
    async with gateway(tmp_path) as place:
        first = await place.get("/app.js")
        assert first.headers["content-type"].startswith("text/javascript")
        again = await place.get("/app.js", If_None_Match=first.headers["etag"])
        assert (again.status_code, again.content) == (304, b"")
        etag = first.headers["etag"]
        for known in (f"W/{etag}", f'"other", {etag}', "*"):
            assert (await place.get("/app.js", If_None_Match=known)).status_code == 304
        assert (await place.get("/app.js", If_None_Match='"other"')).status_code == 200


@pytest.mark.parametrize("path", ["/../server.py", "/%2e%2e/server.py", "//etc/passwd", "/page/../../config.py", "/app.js/", "/favicon.ico"])
async def test_nothing_else_on_the_disk_can_be_asked_for(tmp_path: Path, path: str) -> None:
    async with gateway(tmp_path) as place:
        assert (await place.get(path)).status_code == 404


async def test_other_methods_are_refused(tmp_path: Path) -> None:
    async with gateway(tmp_path) as place, httpx.AsyncClient(trust_env=False) as http:
        refused = await http.request("DELETE", place.address)
        assert (refused.status_code, refused.headers["Allow"]) == (405, "GET, HEAD")
        assert (await place.get("/ws")).status_code == 426


async def test_pages_of_other_sites_may_not_connect(tmp_path: Path) -> None:
    async with gateway(tmp_path, web={"allowed_origins": ["https://friend.example"]}) as place:
        own = place.address.rstrip("/")
        assert await refused_with(place, origin=own) == 101
        assert await refused_with(place, origin="https://friend.example") == 101
        assert await refused_with(place) == 101, "programs have no origin"
        for origin in ("http://evil.example", "https://friend.example.evil.example", "null", own + "0", own.replace("http", "ftp")):
            assert await refused_with(place, origin=origin) == 403, origin
        assert await place.metric('mooring_frames_refused_total{code="origin"}') == 5


async def test_a_foreign_name_for_this_machine_is_no_way_in(tmp_path: Path) -> None:
    async with gateway(tmp_path) as place:
        for host in ("evil.example", "evil.example:8765", "127.0.0.1.evil.example", ""):
            assert (await place.get("/", Host=host)).status_code == 421, host
        assert (await place.get("/", Host="localhost:1")).status_code == 200
    async with gateway(tmp_path, web={"allowed_hosts": ["chat.example"]}) as place:
        assert (await place.get("/", Host="chat.example")).status_code == 200
        assert (await place.get("/", Host="evil.example")).status_code == 421


async def test_connections_are_limited_by_address_and_in_all(tmp_path: Path) -> None:
    async with gateway(tmp_path, web={"limits": {"connections": 3, "connections_per_address": 2}, "trusted_proxies": ["127.0.0.0/8"]}) as place:
        async with place.connection(), place.connection():
            assert await refused_with(place) == 429
            assert await refused_with(place, additional_headers={"X-Forwarded-For": "192.0.2.7, 127.0.0.9"}) == 101
            async with place.connection(additional_headers={"X-Forwarded-For": "192.0.2.7"}):
                assert await refused_with(place, additional_headers={"X-Forwarded-For": "192.0.2.8"}) == 429
        assert await refused_with(place) == 101
    async with gateway(tmp_path, web={"limits": {"connections_per_address": 1}}) as place, place.connection():
        assert await refused_with(place, additional_headers={"X-Forwarded-For": "192.0.2.7"}) == 429, "nobody's word is taken who is no proxy"


async def test_probes_say_what_is_wrong(tmp_path: Path) -> None:
    async with gateway(tmp_path) as place, place.member("zebedee") as zebedee:
        assert (await place.get("/healthz")).text == "alive\n"
        ready = await place.get("/readyz")
        assert ready.status_code == 200
        assert ready.json()["ready"] is True
        assert set(ready.json()["channels"]) == {"tavern", "library"}
        await zebedee.say("/hit @zebedee 5")
        await zebedee.say("/hit @nobody")
        assert await place.metric('mooring_commands_total{command="hit",result="done"}') == 1
        assert await place.metric('mooring_commands_total{command="hit",result="refused"}') == 1
        assert await place.metric('mooring_event_seconds_count{type="message_up"}') == 2
        assert await place.metric('mooring_members_online{channel="tavern"}') == 1
        assert await place.metric('mooring_storage_shared_bytes{engine="JSONDatabase"}') > 0
        page = (await place.get("/metrics")).text
        assert "zebedee" not in page
        assert zebedee.welcome["member_id"] not in page


async def test_metrics_can_be_closed(tmp_path: Path) -> None:
    async with gateway(tmp_path, web={"metrics": "closed"}) as place:
        assert (await place.get("/metrics")).status_code == 404
        assert (await place.get("//metrics")).status_code == 404
        assert (await place.get("/readyz")).status_code == 200


async def test_metrics_can_have_a_port_of_their_own(tmp_path: Path) -> None:
    async with gateway(tmp_path, web={"metrics_port": 0}) as place, httpx.AsyncClient(trust_env=False) as http:
        assert (await place.get("/metrics")).status_code == 404
        own = place.service.plugins.runtime.states["web"].probe_address
        assert "mooring_turns" in (await http.get(f"{own}metrics")).text
        assert (await http.get(f"{own}readyz")).json()["ready"] is True
        assert (await http.get(f"{own}healthz", headers={"Host": "monitoring.internal"})).text == "alive\n"
        assert (await http.head(f"{own}metrics")).content == b""
        for path, status in (("", 404), ("ws", 404), ("app.js", 404), ("files/tavern/x/y", 404)):
            assert (await http.get(f"{own}{path}")).status_code == status
        assert (await http.post(f"{own}metrics")).status_code in {400, 405}
    with pytest.raises(httpx.ConnectError):
        async with httpx.AsyncClient(trust_env=False) as http:
            await http.get(f"{own}metrics")


async def test_a_port_for_the_metrics_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PluginError, match=f"metrics_port {port}"):
            async with gateway(tmp_path, web={"metrics_port": port}):
                pass


async def test_tls_with_a_certificate(tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl, which makes the certificate for this test, is not installed")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject, "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    trust = ssl.create_default_context(cafile=certificate)
    async with gateway(tmp_path, web={"certfile": str(certificate), "keyfile": str(key)}) as place:
        assert place.address.startswith("https://127.0.0.1:")
        async with httpx.AsyncClient(trust_env=False, verify=trust) as http:
            answer = await http.get(place.address)
            assert answer.status_code == 200
            assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
        async with place.member("ann", ssl=trust, origin=place.address.rstrip("/")) as ann:
            assert (await ann.say("quietly"))["body"]["ok"]
            subprocess.run(command, check=True, capture_output=True)  # a new one, as a certificate authority gives it every few weeks
            async with httpx.AsyncClient(trust_env=False, verify=ssl.create_default_context(cafile=certificate)) as http:
                with pytest.raises(httpx.ConnectError):
                    await http.get(place.address)
                assert "the certificate" in (await place.service.reload_config()).changed
                assert (await http.get(place.address)).status_code == 200
            key.write_text("nonsense")
            assert (await place.service.reload_config()).problems[0].startswith("web: the certificate ")
            assert (await ann.say("still here"))["body"]["ok"]


async def test_the_signing_key_is_for_its_owner_only(tmp_path: Path) -> None:
    async with gateway(tmp_path) as place, place.member("ann"):
        key = tmp_path / "gateway" / "signing.key"
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("host", ["[::1", "a:b:c", "[", "localhost:99999999"])
async def test_a_host_that_is_none_is_no_fault_of_ours(tmp_path: Path, caplog: pytest.LogCaptureFixture, host: str) -> None:
    async with gateway(tmp_path) as place, httpx.AsyncClient(trust_env=False) as http:
        answer = await http.get(place.address, headers={"Host": host})
        assert answer.status_code in {200, 400, 421}
    assert "Traceback" not in caplog.text


async def test_no_token_is_logged_at_any_level(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    async with gateway(tmp_path) as place:
        async with place.member("ann") as ann:
            await ann.say("hello")
        async with place.connection() as client:
            await client.hello(token=ann.welcome["token"] + "x")
    theirs = [record.getMessage() for record in caplog.records if not record.name.startswith("websockets.client")]
    assert theirs
    assert not [line for line in theirs if ann.welcome["token"] in line or "eyJ" in line]


ODD = {
    "a path that begins like a host": ("GET //[ HTTP/1.1", "Host: localhost", 404),
    "a path behind a host": ("GET //x/metrics HTTP/1.1", "Host: localhost", 404),
    "a host that is none": ("GET http://[/ HTTP/1.1", "Host: localhost", 400),
    "no path and no address": ("GET metrics HTTP/1.1", "Host: localhost", 400),
    "a whole address": ("GET http://localhost/healthz HTTP/1.1", "Host: localhost", 200),
    "two hosts": ("GET /healthz HTTP/1.1", "Host: localhost\r\nHost: localhost", 400),
    "two origins": ("GET /ws HTTP/1.1", "Host: localhost\r\nUpgrade: websocket\r\nOrigin: a\r\nOrigin: b", 400),
    "two upgrades": ("GET /ws HTTP/1.1", "Host: localhost\r\nUpgrade: websocket\r\nUpgrade: websocket", 400),
    "two tags": ("GET /app.js HTTP/1.1", 'Host: localhost\r\nIf-None-Match: "a"\r\nIf-None-Match: "b"', 400),
    "a query": ("GET /healthz?x=//y#z HTTP/1.1", "Host: localhost", 200),
}


@pytest.mark.parametrize(("line", "headers", "status"), ODD.values(), ids=ODD)
async def test_odd_requests_are_answered_and_nothing_fails(
    tmp_path: Path, line: str, headers: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with gateway(tmp_path) as place:
        reader, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(place.address).port)
        writer.write(f"{line}\r\n{headers}\r\n\r\n".encode())
        assert (await reader.readline()).split()[1] == str(status).encode()
        writer.close()
    assert not [record for record in caplog.records if record.exc_info]


async def test_head_says_what_get_would_and_sends_no_content(tmp_path: Path) -> None:
    async with gateway(tmp_path) as place, httpx.AsyncClient(trust_env=False) as http:
        for path in ("", "app.js", "healthz", "nothing"):
            got, told = [await http.request(method, place.address + path) for method in ("GET", "HEAD")]
            assert (told.status_code, told.content) == (got.status_code, b"")
            assert told.headers["content-length"] == got.headers["content-length"] == str(len(got.content))
            assert told.headers["content-type"] == got.headers["content-type"]
