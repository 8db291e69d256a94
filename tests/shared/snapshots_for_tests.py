"""A channel as it was: what a replica has that did not get the last commits, or a file that lost its end."""

from __future__ import annotations

from typing import Any


class Snapshot:
    """All keys of a channel at one moment, to be brought back."""

    def __init__(self, raw: Any, prefix: bytes) -> None:
        self._raw = raw
        self._pattern = prefix.replace(b"{", b"\\{").replace(b"}", b"\\}") + b"*"
        self._kept = {key: raw.dump(key) for key in self._keys()}

    def restore(self) -> None:
        """Let the server forget everything that was committed since."""
        with self._raw.pipeline(transaction=True) as pipe:
            for key in self._keys():
                pipe.delete(key)
            for key, dumped in self._kept.items():
                pipe.restore(key, 0, dumped)
            pipe.execute()

    def _keys(self) -> list[bytes]:
        return list(self._raw.scan_iter(self._pattern))
