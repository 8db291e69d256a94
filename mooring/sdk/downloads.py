"""Fetching a file from an address."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

import httpx

_TIMEOUT = httpx.Timeout(10, read=60)


class DownloadFailed(Exception):
    """The address did not give the file; the text says why."""


async def fetch_bytes(url: str, headers: Mapping[str, str]) -> bytes:
    """What is at an address. Raises DownloadFailed."""
    async with httpx.AsyncClient(timeout=_TIMEOUT, follow_redirects=True) as client:
        try:
            answer = await client.get(url, headers=dict(headers))
            answer.raise_for_status()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise DownloadFailed(f"{url} could not be fetched: {_why(error)}") from error
        return answer.content


async def fetch_file(url: str, target: Path, headers: Mapping[str, str]) -> None:
    """Write what is at an address into a file, which is there whole or not at all. Raises DownloadFailed and OSError."""
    draft = target.with_name(f".{target.name}-{secrets.token_hex(4)}")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        async with httpx.AsyncClient(timeout=_TIMEOUT, follow_redirects=True) as client, client.stream("GET", url, headers=dict(headers)) as answer:
            answer.raise_for_status()
            with draft.open("wb") as file:
                async for chunk in answer.aiter_bytes():
                    file.write(chunk)
        draft.replace(target)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise DownloadFailed(f"{url} could not be fetched: {_why(error)}") from error
    finally:
        draft.unlink(missing_ok=True)


async def size_of(url: str, headers: Mapping[str, str]) -> int | None:
    """How many bytes there are at an address, None if it does not tell."""
    async with httpx.AsyncClient(timeout=_TIMEOUT, follow_redirects=True) as client:
        try:
            answer = await client.head(url, headers=dict(headers))
        except (httpx.HTTPError, httpx.InvalidURL):
            return None
    length = answer.headers.get("Content-Length", "")
    return int(length) if answer.is_success and length.isdecimal() else None


def target_path(url: str, file_path: str | os.PathLike[str] | None, auto_dir: str | os.PathLike[str] | None) -> Path:
    """Where a download goes: where `file_path` says, or a new name in a folder; with the suffix of the address if it has none."""
    new = f"{datetime.now():%Y%m%d_%H%M%S_%f}_{secrets.randbelow(9000) + 1000}"  # noqa: DTZ005 - a name
    target = Path(file_path or Path(auto_dir or "downloads", new))
    if not target.suffix:
        target = target.with_name(target.name + PurePosixPath(unquote(urlsplit(url).path)).suffix)
    return target.resolve()


def _why(error: Exception) -> str:
    if isinstance(error, httpx.HTTPStatusError):
        return f"it answered {error.response.status_code} {error.response.reason_phrase}".rstrip()
    return str(error) or type(error).__name__
