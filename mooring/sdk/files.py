"""The service that takes files to where members can fetch them: whatever a bot sends is uploaded first, and may be deleted afterwards."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from mooring.bots.messages import Recipients
from mooring.channels.sent_files import is_address
from mooring.events import FILE, CanvasItem, MessageBody, copy_with
from mooring.recipients import Everyone
from mooring.sdk.downloads import fetch_bytes, fetch_file, target_path
from mooring.sdk.payloads import message_payload, update_payload
from mooring.sdk.uploads import PLACE, Uploads
from mooring.service.service import ChannelService

log = logging.getLogger(__name__)

_SERVED = "/files/"
_WEB = ("http://", "https://")


class Files(ChannelService):
    """Senders return what they sent, with the addresses of the files in it."""

    def __init__(self, *configs: Any, **named: Any) -> None:
        super().__init__(*configs, **named)
        self._uploads = Uploads(Path(self._settings.service.upload_dir), self._settings.service.upload_bytes)

    async def upload(self, file_path: str | os.PathLike[str]) -> str:
        """Copy a file into the service's `upload_dir`, and return the address under which members find it from now on.

        Raises FileNotFoundError, OSError, and ValueError for one that is larger than `upload_bytes`.
        """
        return await self._threads.run(self._uploads.put, file_path, name="upload")

    async def download(  # noqa: PLR0917 - the order of the SDK's arguments
        self,
        source: str | MessageBody,
        file_path: str | os.PathLike[str] | None = None,
        auto_dir: str | os.PathLike[str] | None = None,
        overwrite: bool = True,
        bytes: bool = False,  # noqa: A002 - the SDK's name
        headers: Any = None,
    ) -> Any:
        """Fetch what is at an address, or what a message holds, into a file, and return its path; with `bytes`, return the content.

        Raises DownloadFailed, ValueError for what is no address, FileExistsError without `overwrite`, and OSError.
        """
        url = source.content.path if isinstance(source, MessageBody) else source
        if not url:
            raise ValueError("this message holds no file")
        given = headers.get("headers", headers) if isinstance(headers, Mapping) else {}
        ours = self._ours(url)
        if ours is None and not url.startswith(_WEB):
            raise ValueError(f"{url!r:.200} is no address that could be downloaded")
        if bytes:
            return await (fetch_bytes(url, given) if ours is None else self._threads.run(ours.read_bytes))
        target = target_path(url, file_path, auto_dir)
        if target.exists() and not overwrite:
            raise FileExistsError(f"{target} is there already, and overwrite is false")
        if ours is None:
            await fetch_file(url, target, given)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            await self._threads.run(shutil.copyfile, ours, target)
        return str(target)

    async def address_of(self, path: str | os.PathLike[str]) -> str:
        """The address of a file, which is uploaded for it; what is an address stays as it is. Raises as `upload` does."""
        text = os.fspath(path)
        return text if is_address(text) else await self.upload(path)

    def file(self, channel_id: str, token: str) -> Path | None:
        """A file that was sent in the channel, or uploaded, by the token in its address; None if there is none."""
        return super().file(channel_id, token) or (self._uploads.find(token) if channel_id == PLACE else None)

    async def send_canvas(self, canvas_items: Sequence[CanvasItem] | CanvasItem, channel_id: str, recipients: Recipients | None = None) -> Any:
        """Show these items on the canvas, in place of those that were there. Each `path` is an address or a file."""
        listed = [canvas_items] if isinstance(canvas_items, CanvasItem | Mapping) else canvas_items
        items = [CanvasItem(**item) if isinstance(item, Mapping) else item for item in listed]
        placed = [copy_with(item, path=await self._address_if_any(item.path)) for item in items]
        return await super().send_canvas(placed, channel_id, recipients)

    async def _address_if_any(self, path: str | None) -> str | None:
        """The address of what a bot gave as a path."""
        if not path:
            return path
        try:
            return await self.address_of(path)
        except FileNotFoundError as error:
            log.warning("%s; it is sent as it is", error)
            return path

    async def _place(self, body: MessageBody) -> None:
        content = body.content
        if content.path:
            address = await self._address_if_any(content.path)
            kept = self._ours(address or "")
            if body.subtype == FILE and content.size is None and kept is not None:
                content.size = kept.stat().st_size
            content.path = address

    def _ours(self, address: str) -> Path | None:
        if not address.startswith(_SERVED):
            return None
        place, _, rest = address.removeprefix(_SERVED).partition("/")
        return self.file(unquote(place), rest.partition("/")[0])

    def _sent_message(self, body: MessageBody, to: Sequence[str]) -> Any:
        return message_payload(self.service_id, body, to) if to or isinstance(to, Everyone) else None

    def _sent_update(self, kind: str, channel_id: str, body: Any, to: Sequence[str]) -> Any:
        content = body if isinstance(body, list) else [body]
        return update_payload(self.service_id, kind, channel_id, content, to) if to or isinstance(to, Everyone) else None
