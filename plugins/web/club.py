"""Whose page it is: the name, picture and colours that an operator gives it."""

from __future__ import annotations

import html
import re
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator

from mooring import ConfigPath

PICTURES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp"}
PICTURE = "/picture"
_LARGEST = 1_000_000
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
_READABLE = 4.5
"""The contrast that texts need, by WCAG 2."""
_MARK = '<svg class="mark"><use href="#i-mark"/></svg>'


class Club(BaseModel):
    """What members see of whoever runs the service."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(default="Mooring", min_length=1, max_length=40)
    picture: ConfigPath | None = Field(default=None, description="A square PNG, JPEG, GIF or WebP of at most 1 MB, shown beside the name.")
    accent: str = Field(default="", description="The colour of links and buttons, as `#rrggbb`; dark enough to be read on white.")
    side: str = Field(default="", description="The ground of the list of channels, as `#rrggbb`; dark enough for white letters.")

    @field_validator("accent", "side")
    @classmethod
    def _is_readable(cls, colour: str) -> str:
        if colour and not _COLOUR.fullmatch(colour):
            raise ValueError(f"{colour!r} is no colour; write it like #0a6482")
        if colour and _contrast_with_white(colour) < _READABLE:
            raise ValueError(f"{colour} is too light beside white to be read; take a darker one")
        return colour

    @field_validator("picture")
    @classmethod
    def _is_picture(cls, picture: Path | None) -> Path | None:
        if picture is None:
            return None
        if picture.suffix.lower() not in PICTURES:
            raise ValueError(f"{picture.name} is none of {', '.join(PICTURES)}")
        if not picture.is_file():
            raise ValueError(f"there is no file {picture}")
        if picture.stat().st_size > _LARGEST:
            raise ValueError(f"{picture.name} has more than {_LARGEST} bytes")
        return picture

    def page(self, text: str) -> str:
        """The page's HTML under this name."""
        text = text.replace(">Mooring<", f">{html.escape(self.name)}<")
        return text.replace(_MARK, f'<img class="mark" src="{PICTURE}" alt="">') if self.picture is not None else text

    def style(self) -> str:
        """The rules that go over the page's own."""
        rules = []
        if self.accent:
            rules.append(f"--accent: light-dark({self.accent}, color-mix(in srgb, {self.accent} 45%, #fff))")
            rules.append("--soft: color-mix(in srgb, var(--accent) 14%, var(--surface))")
        if self.side:
            rules.append(f"--side: {self.side}")
            rules.append("--side-on: color-mix(in srgb, var(--side) 82%, #fff)")
            rules.append("--side-muted: color-mix(in srgb, var(--side) 25%, #fff)")
        return (f":root {{ {'; '.join(rules)}; }}\n" if rules else "") + ".brand img.mark { padding: 0; object-fit: cover; }\n"


def _contrast_with_white(colour: str) -> float:
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 1.05 / (0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05)
