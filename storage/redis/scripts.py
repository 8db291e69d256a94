"""The scripts that run inside the server, each as one step that nobody sees half done; their text is in `lua/`.

What a channel has in the server, beside its hashes:

- the record (`$version`), a hash: `version` (how many commits there were), `epoch`, `newest` (the newest commit), `written` and `trimmed`
  (bytes that ever went into the stream, and out of it), and under the name of each dict how many keys it has.
- the stream (`$stream`): each commit under `<epoch>-<version>`, with `i` (which commit it is), `b` (the one before it), `s` (bytes written
  up to here), `o` and `m` (the event and the member behind it), and `c` (the changes, unless they are too large for the stream). One with
  `r` tells that the channel was mended, and of what.
- the last commit of each process (`$process:<id>`): number, version, removed keys, first number of the unbroken row, epoch.
- the turn (`$turn`), as MessagePack: the process that has it, when it is over if nothing is committed and when in any case (milliseconds
  since 1970), and who waits for one, with the moments at which they asked last. It is there only while turns are taken.

A commit is named `<process>:<number>`. So a history that does not go on from what somebody knows shows, whatever its numbers say.
Beside these `$probe`, a hash that is made and removed again in one step when somebody asks whether writes are taken.

An epoch begins with the first commit, after a loss, and with a mending. It is larger than those before it, so that whoever waits for
what comes after an older one is woken.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

ANY = b"*"
"""In the place of a predecessor: commit whatever others have committed since."""

NOTHING_KNOWN = b"?"
"""In the place of the newest commit: nothing of the channel was seen yet."""


class Script:
    """A script, made of parts in Lua, and the digest by which the server knows it."""

    def __init__(self, *parts: str) -> None:
        folder = files("storage.redis") / "lua"
        self.text = "\n".join((folder / f"{part}.lua").read_text("utf-8") for part in parts)
        self.digest = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class Request:
    """A script with its keys and arguments."""

    script: Script
    keys: list[bytes]
    arguments: list[Any]

    def by_digest(self) -> list[Any]:
        return ["EVALSHA", self.script.digest, len(self.keys), *self.keys, *self.arguments]

    def in_full(self) -> list[Any]:
        """For a server that does not know the script yet."""
        return ["EVAL", self.script.text, len(self.keys), *self.keys, *self.arguments]


def joined(requests: Sequence[Request]) -> Request:
    """Commits to several channels as one, which is answered with the answers to each."""
    arguments: list[Any] = [len(requests)]
    for request in requests:
        arguments += [len(request.keys), len(request.arguments), *request.arguments]
    return Request(COMMIT_JOINT, [key for request in requests for key in request.keys], arguments)


COMMIT = Script("tolerant", "record", "turn", "commit", "commit_one")
COMMIT_JOINT = Script("tolerant", "record", "turn", "commit", "commit_joint")
VOID = Script("tolerant", "void")
CATCH_UP = Script("tolerant", "record", "catch_up")
MEND = Script("tolerant", "record", "mend")
TAKE_TURN = Script("tolerant", "turn", "take_turn")
RIGHTS = Script("rights")
PROBE = Script("probe")
