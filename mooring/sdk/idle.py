"""What bots of the SDK may call, or override, and what does nothing here."""

from __future__ import annotations

import logging
from typing import Any, ClassVar

from mooring.sdk.surface import SERVICE, HasSurface, Surface
from mooring.types import CopyBody, MessageBody, UpdateBody

log = logging.getLogger(__name__)

HOOKS = tuple(name for name in SERVICE.nothing if name.startswith("on_"))
"""The hooks that are never called."""


class IdleCalls(HasSurface):
    """Each says once in the log that it does nothing, and why."""

    surface: ClassVar[Surface] = SERVICE

    refresh_interval = 6 * 60 * 60
    authenticate_interval = 7 * 24 * 60 * 60
    heartbeat_interval = 30

    client_id: str

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._told: set[str] = set()

    def _idle(self, name: str) -> None:
        if name not in self._told:
            self._told.add(name)
            log.info("%s does nothing here: %s", name, SERVICE.nothing[name])

    def _name_deaf_hooks(self) -> None:
        """Tell which hooks a bot has overridden for nothing."""
        deaf = [name for name in HOOKS if getattr(type(self), name) is not getattr(IdleCalls, name)]
        if deaf:
            log.info("%s overrides hooks that are never called here: %s", type(self).__name__, ", ".join(deaf))

    async def authenticate(self) -> None:
        self._idle("authenticate")

    async def refresh_authentication(self) -> None:
        self._idle("refresh_authentication")

    async def sign_up(self) -> None:
        self._idle("sign_up")

    async def sign_out(self) -> None:
        self._idle("sign_out")

    async def send_service_login(self) -> None:
        self._idle("send_service_login")

    async def send_user_login(self) -> None:
        self._idle("send_user_login")

    async def send_heartbeat(self) -> None:
        self._idle("send_heartbeat")

    async def create_new_service(self, description: str = "") -> str:
        """The id of this service."""
        self._idle("create_new_service")
        return self.client_id

    async def on_copy_client(self, copy: CopyBody) -> None: ...

    async def on_message_down(self, message: MessageBody) -> None: ...

    async def on_update(self, update: UpdateBody) -> None: ...

    async def on_update_characters(self, update: UpdateBody) -> None: ...

    async def on_update_channel_info(self, update: UpdateBody) -> None: ...

    async def on_update_canvas(self, update: UpdateBody) -> None: ...

    async def on_update_buttons(self, update: UpdateBody) -> None: ...

    async def on_update_style(self, update: UpdateBody) -> None: ...

    async def on_update_menu(self, update: UpdateBody) -> None: ...
