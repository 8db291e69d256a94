"""What an operator says of the account on a homeserver, and where its access token is."""

from __future__ import annotations

import os
import re
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from mooring import ConfigPath, PluginError

NETWORK = "matrix"
"""What rooms and members of it are named by."""
_USER = re.compile(r"@[^\s:]+:[^\s]+")
_HERE = frozenset({"localhost", "127.0.0.1", "::1"})


class Config(BaseModel):
    """The plugin's part of the service's config."""

    model_config = ConfigDict(extra="forbid")

    homeserver: str = Field(description="Its address, like https://matrix.example.org.")
    user: str = Field(description="The bot's own user id, like @bot:example.org.")
    token_file: ConfigPath | None = Field(default=None, description="A file with the access token and nothing else.")
    token_variable: str = Field(default="MATRIX_ACCESS_TOKEN", description="The environment variable with the token, where there is no `token_file`.")
    private_answers: bool = Field(default=True, description="Tell single members what is for them, each in a room with the bot alone.")
    prefix: str = Field(default="!", pattern=r"^[^\s\w]{1,3}$", description="A sign that stands for the slash of commands in the rooms.")
    first_hours: float = Field(default=24, ge=0, le=720, description="How old what was said may be when a room is read for the first time.")

    @field_validator("homeserver")
    @classmethod
    def _homeserver(cls, address: str) -> str:
        parts = urlsplit(address)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.username:
            raise ValueError(f"{address!r} is no address of a homeserver; write it like https://matrix.example.org")
        if parts.scheme == "http" and parts.hostname not in _HERE:
            raise ValueError(f"{address!r} would send the token in the clear; use https")
        return address.rstrip("/")

    @field_validator("user")
    @classmethod
    def _user(cls, user: str) -> str:
        if not _USER.fullmatch(user):
            raise ValueError(f"{user!r} is no user id of Matrix; write it like @bot:example.org")
        return user

    def token(self) -> str:
        """The access token, as it is there now. Raises PluginError."""
        if self.token_file is None:
            token, place = os.environ.get(self.token_variable, ""), f"the variable {self.token_variable}"
        else:
            place = f"the file {self.token_file}"
            try:
                token = self.token_file.read_text("utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise PluginError(f"the access token is not readable in {place}: {error}. Put it there, or name the file in token_file.") from error
        token = token.strip()
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            raise PluginError(f"there is no access token for {self.user} in {place}. Put it there: in Element it is in the settings, under Help.")
        return token
