"""The page's files as HTTP answers, and the headers that keep browsers out of harm."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mooring.plugins.web.club import PICTURE, PICTURES, Club

PAGE = Path(__file__).parent / "page"

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}

SAFETY: Mapping[str, str] = {
    # No inline script, no inline style, nothing from elsewhere: a payload that gets into the page has nothing to run with.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self'; connect-src 'self'; manifest-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


@dataclass(frozen=True)
class PageFile:
    """One file, read once."""

    content: bytes
    content_type: str
    etag: str


class Site:
    """All files of the page by their URL path; `/` is index.html. Nothing else on the disk can be asked for."""

    def __init__(self, club: Club, folder: Path = PAGE) -> None:
        self._files = {f"/{file.name}": _file(file.read_bytes(), _TYPES[file.suffix]) for file in sorted(folder.iterdir()) if file.suffix in _TYPES}
        self._change("/index.html", club.page)
        self._change("/style.css", lambda text: text + club.style())
        self._files["/"] = self._files["/index.html"]
        if club.picture is not None:
            self._files[PICTURE] = _file(club.picture.read_bytes(), PICTURES[club.picture.suffix.lower()])

    def _change(self, path: str, change: Callable[[str], str]) -> None:
        file = self._files[path]
        self._files[path] = _file(change(file.content.decode()).encode(), file.content_type)

    def find(self, path: str) -> PageFile | None:
        """The file of a URL path, or None."""
        return self._files.get(path)


def _file(content: bytes, content_type: str) -> PageFile:
    return PageFile(content, content_type, f'"{hashlib.sha256(content).hexdigest()[:20]}"')
