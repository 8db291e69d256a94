"""What an operator can say about the gateway, and what is refused before a socket is opened."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from mooring import ConfigPath, PluginError
from mooring.plugins.web.club import Club

_HOST = re.compile(r"[^\s/:@]+|\[?[0-9a-fA-F.]*:[0-9a-fA-F.]*:[0-9a-fA-F:.]*\]?")
_ORIGIN = re.compile(r"https?://([^\s/:@]+|\[[0-9a-fA-F:.]+\])(:\d+)?")


class OpenToAll(PluginError):
    """The gateway would let the whole network in without asking who it is."""


class GatewayLimits(BaseModel):
    """What one member, one address and all together may use. Each limit is answered by a frame that says so, and counted."""

    model_config = ConfigDict(extra="forbid")

    frame_size: int = Field(
        default=65_536, ge=1_024, description="Characters in a frame; beyond it an error frame, beyond four times as many bytes close code 1009."
    )
    frames_per_second: float = Field(
        default=20, gt=0, description="Frames a second of one connection, in the long run; all of one address have ten times as many."
    )
    burst: int = Field(default=80, ge=1, description="Frames of one connection at once.")
    in_flight: int = Field(default=64, ge=1, description="Events of one connection that wait for their acknowledgement.")
    bytes_per_second: int = Field(
        default=131_072,
        ge=4_096,
        description="Bytes a second of one connection, in the long run; all of one address have ten times as many. What comes faster is read later.",
    )
    members_per_channel: int = Field(
        default=5_000, ge=1, description="Members who are here. Those in charge, and who has ever done something, come in however full it is."
    )
    connections: int = Field(default=5_000, ge=1)
    connections_per_address: int = Field(
        default=100, ge=1, description="As many besides may have asked for nothing yet. An address is one of IPv4, or a /64 network of IPv6."
    )
    hellos_per_minute: int = Field(default=600, ge=1, description="Hellos from one address; beyond it `too_fast`.")
    joins_per_minute: int = Field(default=1_200, ge=1, description="Joins from one address; beyond it `too_fast`.")
    requests_per_minute: int = Field(default=1_200, ge=1, description="HTTP requests from one address; beyond it 429.")
    downloads: int = Field(default=100, ge=1, description="Sent files that are fetched at the same time; others wait, and then get 503.")
    downloads_per_address: int = Field(default=20, ge=1)
    download_bytes_per_second: int = Field(
        default=12_582_912, ge=65_536, description="Bytes of sent files for one address, in the long run; beyond it they come more slowly."
    )
    first_frame_seconds: float = Field(default=10, gt=0, description="From the connection to a good `hello`; close code 1008.")
    idle_seconds: float = Field(default=600, gt=0, description="Without a frame from the member (`ping` counts); close code 1000.")
    send_buffer: int = Field(default=1_048_576, ge=65_536, description="Bytes that wait for one slow reader; beyond it close code 1013.")


class Config(BaseModel):
    """The gateway's part of the service's config."""

    model_config = ConfigDict(extra="forbid")

    host: str = "127.0.0.1"
    port: int = Field(default=8765, ge=0, le=65_535, description="0 takes a free one.")
    allow_open: bool = Field(default=False, description="Accept strangers from the network in channels with open access.")
    allowed_hosts: list[str] = Field(
        default_factory=list, description="Host names by which browsers reach this service, behind a proxy for instance."
    )
    allowed_origins: list[str] = Field(default_factory=list, description="Other sites whose pages may connect, as `https://name`.")
    trusted_proxies: list[str] = Field(default_factory=list, description="Addresses or networks whose X-Forwarded-For is believed.")
    metrics: Literal["open", "closed"] = Field(default="open", description="Whether `/metrics` is there for whoever reaches the page.")
    metrics_port: int | None = Field(
        default=None,
        ge=0,
        le=65_535,
        description="A port of its own, on `metrics_host`, for `/metrics`, `/readyz` and `/healthz`; `/metrics` is nowhere else then.",
    )
    metrics_host: str = "127.0.0.1"
    certfile: ConfigPath | None = None
    keyfile: ConfigPath | None = None
    data_dir: ConfigPath = Field(
        default=Path("data/gateway"), description="Where the signing key and the list of given tokens are kept, unless processes share them on Redis."
    )
    club: Club = Club()
    first_messages: int = Field(default=50, ge=1, le=500, description="Messages for a member who comes in.")
    limits: GatewayLimits = GatewayLimits()

    @field_validator("allowed_hosts")
    @classmethod
    def _hosts(cls, hosts: list[str]) -> list[str]:
        for host in hosts:
            if not _HOST.fullmatch(host):
                raise ValueError(f"{host!r} is no host name; write the name alone, as in chat.example.org, without scheme, port and path")
        return [host.strip("[]").lower() for host in hosts]

    @field_validator("allowed_origins")
    @classmethod
    def _origins(cls, origins: list[str]) -> list[str]:
        for origin in origins:
            if not _ORIGIN.fullmatch(origin):
                raise ValueError(f"{origin!r} is no origin; write it like https://name or https://name:8443, without path and last slash")
        return [origin.lower() for origin in origins]

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, proxies: list[str]) -> list[str]:
        for proxy in proxies:
            try:
                ipaddress.ip_network(proxy, strict=False)
            except ValueError as error:
                raise ValueError(f"{proxy!r} is no address or network, as 127.0.0.1 or 10.0.0.0/8 is one") from error
        return proxies

    @model_validator(mode="after")
    def _both_or_none(self) -> Config:
        if self.keyfile is not None and self.certfile is None:
            raise ValueError("a keyfile needs a certfile")
        return self

    @property
    def shows_metrics(self) -> bool:
        """Whether `/metrics` is on the page's own port."""
        return self.metrics == "open" and self.metrics_port is None

    @property
    def lets_strangers_in(self) -> bool:
        """Whether anybody who can reach the page may come into open channels."""
        return self.allow_open or is_loopback(self.host)

    def check_exposure(self, open_channels: Iterable[str]) -> None:
        """Raises OpenToAll if the network could walk into one of these channels."""
        exposed = list(open_channels)
        if exposed and not self.lets_strangers_in:
            raise OpenToAll(
                f"host {self.host} can be reached from the network, and anybody could come into {', '.join(exposed)}. "
                'Give these channels "access": "token" and hand out tokens, or say --allow-open ("allow_open": true) if that is what you '
                "want, or use host 127.0.0.1."
            )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the host. A name other than localhost may point anywhere, so it does not count."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
