"""TorBox over HTTP: lists page by page, links one by one.

Every fault becomes a TorBoxError that a member can read; neither the key nor an address that holds it is ever in its text.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Self

import httpx
import msgspec
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt, wait_exponential, wait_random

from mooring import Secrets
from mooring.plugins.torbox.api_key import ApiKey
from mooring.plugins.torbox.budget import RequestBudget
from mooring.plugins.torbox.errors import LimitReached, TorBoxError, TorBoxRefused, TorBoxUnavailable, UnexpectedAnswer
from mooring.plugins.torbox.paging import Paging
from mooring.plugins.torbox.records import Kind

DEFAULT_API_URL = "https://api.torbox.app"
URL_VARIABLE = "TORBOX_API_URL"

ID_PARAMETERS: dict[Kind, str] = {"torrents": "torrent_id", "usenet": "usenet_id", "webdl": "web_id"}

_log = logging.getLogger(__name__)
_httpx_log = logging.getLogger("httpx")


@dataclass(frozen=True)
class RequestLimits:
    """What a request may cost. Times are seconds, sizes bytes."""

    page_size: int = 1000
    connect_timeout: float = 10.0
    timeout: float = 30.0
    """For the answer to begin and between its parts."""
    total_timeout: float = 120.0
    """For one whole request; a server that sends a byte now and then does not hold a refresh for ever."""
    attempts: int = 5
    first_pause: float = 0.5
    longest_pause: float = 60.0
    largest_body: int = 256 * 1024 * 1024


def resolve_api_url(configured: str | None = None) -> str:
    """The environment's address, or else the configured one, or else TorBox's own."""
    return (os.environ.get(URL_VARIABLE, "").strip() or configured or DEFAULT_API_URL).rstrip("/")


class TorBoxClient:
    """One account's view of TorBox. Close it after use; it is an async context manager."""

    def __init__(
        self,
        key: ApiKey,
        api_url: str | None = None,
        *,
        limits: RequestLimits | None = None,
        budget: RequestBudget | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._key = key
        self._limits = limits or RequestLimits()
        self._budget = budget or RequestBudget()
        self._sleep = sleep
        timeout = httpx.Timeout(self._limits.timeout, connect=self._limits.connect_timeout)
        # A redirect would carry the key elsewhere, so none is followed.
        self._http = httpx.AsyncClient(base_url=resolve_api_url() if api_url is None else api_url, timeout=timeout, follow_redirects=False)
        self._hiding = _HidingFilter(key.secrets)
        _httpx_log.addFilter(self._hiding)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._http.aclose()
        _httpx_log.removeFilter(self._hiding)

    async def list_items(self, kind: Kind, on_page: Callable[[int], Awaitable[None]] | None = None) -> list[Any]:
        """Every item of `mylist`, as TorBox sent it; `on_page` hears after each page how many there are so far."""
        path = f"/v1/api/{kind}/mylist"

        async def fetch(position: int) -> list[Any]:
            page = await self._get(path, {"limit": self._limits.page_size, "offset": position, "bypass_cache": "true"})
            if page is not None and not isinstance(page, list):
                raise UnexpectedAnswer(path, "data", "a list", page)
            return page or []

        return await Paging(fetch, on_page).read()

    async def request_link(self, kind: Kind, item_id: int, file_id: int) -> str:
        """An address from which the file can be fetched for some hours."""
        path = f"/v1/api/{kind}/requestdl"
        query = {"token": self._key.get(), ID_PARAMETERS[kind]: item_id, "file_id": file_id}
        link = await self._get(path, query)
        if not isinstance(link, str) or not link.startswith(("https://", "http://")):
            raise UnexpectedAnswer(path, "data", "an address", link)
        self._key.secrets.check(link, "The link that TorBox sent")
        return link

    async def _get(self, path: str, query: dict[str, Any]) -> Any:
        """`data` of the answer, after as many attempts as it takes and is allowed."""
        retrying = AsyncRetrying(
            retry=retry_if_exception(self._may_pass),
            stop=stop_after_attempt(self._limits.attempts),
            wait=self._pause,
            sleep=self._sleep,
            before_sleep=lambda state: _log.info("TorBox, attempt %d for %s: %s", state.attempt_number, path, _failure(state)),
            reraise=True,
        )
        return await retrying(self._attempt, path, query)

    async def _attempt(self, path: str, query: dict[str, Any]) -> Any:
        await self._budget.take()
        status, headers, body = await self._fetch(path, query)
        try:
            return await asyncio.to_thread(self._data, path, status, headers, body)
        except LimitReached as error:
            self._budget.close_for(min(error.retry_after, self._limits.longest_pause))
            raise

    def _may_pass(self, failure: BaseException) -> bool:
        if isinstance(failure, LimitReached):
            return failure.retry_after <= self._limits.longest_pause
        return isinstance(failure, TorBoxUnavailable)

    def _pause(self, state: RetryCallState) -> float:
        failure = _failure(state)
        if isinstance(failure, LimitReached):
            return failure.retry_after
        # Half of the growing bound is jitter: clients that failed together do not come back together.
        bound = wait_exponential(multiplier=2 * self._limits.first_pause, max=self._limits.longest_pause)(state)
        return wait_random(bound / 2, bound)(state)

    async def _fetch(self, path: str, query: dict[str, Any]) -> tuple[int, httpx.Headers, bytes]:
        headers = {"Authorization": f"Bearer {self._key.get()}", "Accept": "application/json"}
        try:
            async with (
                asyncio.timeout(self._limits.total_timeout),
                self._http.stream("GET", path, params=query, headers=headers) as response,
            ):
                body = bytearray()
                async for part in response.aiter_bytes():
                    body += part
                    if len(body) > self._limits.largest_body:
                        raise TorBoxError(f"TorBox's answer to {path} is larger than {self._limits.largest_body} bytes.")
                return response.status_code, response.headers, bytes(body)
        except (httpx.TimeoutException, TimeoutError):
            raise TorBoxUnavailable(f"TorBox did not answer {path} in time.") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            # The exception's text may hold the address, and that the key: only its sort is told.
            raise TorBoxUnavailable(f"TorBox cannot be reached, or broke off its answer to {path} ({type(error).__name__}).") from None

    def _data(self, path: str, status: int, headers: httpx.Headers, body: bytes) -> Any:
        if status == 429:
            raise LimitReached(path, _seconds(headers.get("retry-after"), self._limits.first_pause * 2))
        if status >= 500:
            raise TorBoxUnavailable(f"TorBox answered {path} with status {status}.")
        answer = _decoded(path, status, body)
        detail = self._key.secrets.hide(" ".join(str(answer.get("detail") or answer.get("error") or "no reason given").split()))[:200]
        if status in (401, 403):
            raise TorBoxRefused(f"TorBox does not accept the key: {detail}")
        if status >= 400 or answer.get("success") is False:
            raise TorBoxRefused(f"TorBox refused {path}: {detail}")
        if "data" not in answer:
            raise UnexpectedAnswer(path, "data", "a value", None)
        return answer["data"]


class _HidingFilter(logging.Filter):
    """For httpx, which logs the address of each request, whoever set up the log."""

    def __init__(self, secrets: Secrets) -> None:
        super().__init__()
        self._secrets = secrets

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if self._secrets.found_in(message):
            record.msg, record.args = self._secrets.hide(message), None
        return True


def _failure(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None


def _decoded(path: str, status: int, body: bytes) -> dict[str, Any]:
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        if status >= 400:
            return {"detail": f"status {status}"}
        raise UnexpectedAnswer(path, "body", "JSON", body) from None
    if status >= 300 and not isinstance(answer, dict):
        return {"detail": f"status {status}"}
    if not isinstance(answer, dict):
        raise UnexpectedAnswer(path, "body", "an object", answer)
    if 300 <= status < 400:
        raise UnexpectedAnswer(path, "status", "200", status)
    return answer


def _seconds(value: str | None, default: float) -> float:
    """Retry-After: a number of seconds or a date."""
    if value is None:
        return default
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError):
        return default
