"""`http_api` and `ws_client` of a bot: what of them has a meaning without the platform."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, ClassVar

from mooring.sdk.downloads import size_of
from mooring.sdk.surface import HTTP_API, WS_CLIENT, HasSurface, Surface

_SERVICE_ID_AT: Mapping[str, int | None] = {
    "bind_service_to_channel": 0,
    "unbind_service_from_channel": 0,
    "update_channel": None,
    "character_ids_of_channel_group": None,
    "character_ids_of_service_group": None,
    "create_agent": 0,
    "create_channel_group": None,
    "create_service_group": None,
    "download": None,
    "fetch_agents": 0,
    "fetch_channel_group_list": 1,
    "fetch_channel_list": None,
    "fetch_channel_temp_group": 1,
    "fetch_character_profile": None,
    "fetch_member_ids": 1,
    "fetch_message_history": None,
    "fetch_popular_channels": None,
    "fetch_service_id_list": None,
    "update_agent": 0,
    "upload": None,
}
"""The calls that the service has, too, and the place of an argument that it does not have: its own id."""


class HttpApi(HasSurface):
    """The calls of the service with the arguments that they have there."""

    surface: ClassVar[Surface] = HTTP_API

    def __init__(self, service: Any) -> None:  # a Moobius, whose module imports this one
        self._service = service

    def __getattr__(self, name: str) -> Any:
        if name not in _SERVICE_ID_AT:
            return super().__getattr__(name)  # type: ignore[misc]  # there at run time
        return _without_id(getattr(self._service, name), _SERVICE_ID_AT[name])

    async def create_channel(self, channel_name: str, channel_desc: str) -> str:
        """Make a channel, which nobody comes into before it is bound; its id."""
        return str(await self._service.create_channel(channel_name, channel_desc, bind=False))

    async def this_user_channels(self) -> list[str]:
        """The ids of all channels."""
        return list(await self._service.fetch_channel_list())

    async def convert_to_url(self, file_path: str) -> str:
        """The address of a file, which is uploaded for it; what is an address stays as it is."""
        return str(await self._service.address_of(file_path))

    async def download_size(self, url: str, headers: Mapping[str, str] | str | None = None) -> int | None:
        """How many bytes there are at an address, None if it does not tell."""
        return await size_of(url, {} if headers is None or isinstance(headers, str) else headers)

    async def fetch_channel_group_dict(self, channel_id: str, service_id: str) -> dict[str, list[str]]:
        """The character ids of a channel's groups, by group id."""
        return {group["group_id"]: group["characters"] for group in await self._service.fetch_channel_group_list(channel_id)}


class WsClient(HasSurface):
    """Takes payloads."""

    surface: ClassVar[Surface] = WS_CLIENT

    def __init__(self, service: Any) -> None:
        self._service = service

    async def send(self, message: Mapping[str, Any]) -> None:
        """Do what the service's `send` does with the payload's `type` and `body`."""
        await self._service.send(message["type"], message.get("body", {}))


def _without_id(method: Callable[..., Coroutine[Any, Any, Any]], place: int | None) -> Callable[..., Coroutine[Any, Any, Any]]:
    async def call(*arguments: Any, **named: Any) -> Any:
        if place is not None and "service_id" not in named:
            arguments = (*arguments[:place], *arguments[place + 1 :])
        named.pop("service_id", None)
        return await method(*arguments, **named)

    return call
