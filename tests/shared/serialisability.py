"""Whether what the members of a channel saw could come from one process that handled one event after the other.

The checker takes the record of a run, from the outside: what each member sent and when, when it was acknowledged, and the
numbered replies. Replies carry what the command read, so playing the commands again in the order of their numbers has to
give the same replies.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Sent:
    """One command: its id, its text, and when it was sent first and acknowledged (None: never), on one clock."""

    operation: str
    line: str
    sent: float
    acknowledged: float | None
    ok: bool = True


class Model:
    """What the commands of `playground` do, on plain dicts."""

    def __init__(self) -> None:
        self.health: dict[str, int] = {}
        self.mana: dict[str, int] = {}
        self.total = 0
        self.shared = 0

    def run(self, line: str) -> str | None:
        """The reply, None if the command is refused."""
        name, *words = line.split()
        match name:
            case "/add":
                self.total += int(words[0])
                return f"total {self.total}"
            case "/share":
                self.shared += int(words[0])
                return f"{self.shared} from here"
            case "/put":
                old = self.health.get(words[0])
                self.health[words[0]] = int(words[1])
                return f"{words[0]} was {old}"
            case "/move":
                one, other, amount = words[0], words[1], int(words[2])
                if self.health.get(one, 0) < amount:
                    return None
                self.health[one] = self.health.get(one, 0) - amount
                self.mana[other] = self.mana.get(other, 0) + amount
                return f"{one} {self.health[one]}, {other} {self.mana[other]}"
        raise ValueError(line)


def faults(sent: Iterable[Sent], replies: Mapping[int, tuple[str, str]]) -> list[str]:
    """What is wrong with the record of one channel. `replies` are (operation, text) by the number of the message."""
    by_id = {one.operation: one for one in sent}
    return [*_missing_or_repeated(by_id, replies), *_impossible(by_id, replies), *_out_of_time(by_id, replies)]


def faults_together(replies: Iterable[tuple[str, str]]) -> list[str]:
    """What is wrong with what several channels have together; `replies` are (line, text) of all of them, those to `/share` among others.

    Each has added to what those before it had made of it, in some order; so the sums follow from each other without a gap.
    """
    steps = sorted((int(text.split()[1].rstrip(",")), int(line.split()[1])) for line, text in replies if line.startswith("/share"))
    found, total = [], 0
    for after, amount in steps:
        if after != total + amount:
            found.append(f"{amount} was added to {total}, and that made {after}")
        total = after
    return found


def _missing_or_repeated(by_id: Mapping[str, Sent], replies: Mapping[int, tuple[str, str]]) -> Iterable[str]:
    counts: dict[str, int] = {}
    for operation, _ in replies.values():
        counts[operation] = counts.get(operation, 0) + 1
    for operation, count in counts.items():
        if count > 1:
            yield f"{operation} was answered {count} times"
        if operation in by_id and not by_id[operation].ok:
            yield f"{operation} was refused, and answered all the same"
    for operation, one in by_id.items():
        if one.acknowledged is not None and one.ok and operation not in counts:
            yield f"{operation} was acknowledged and never answered"


def _impossible(by_id: Mapping[str, Sent], replies: Mapping[int, tuple[str, str]]) -> Iterable[str]:
    model = Model()
    for number in sorted(replies):
        operation, text = replies[number]
        if operation not in by_id:
            yield f"message {number} answers {operation}, which nobody sent"
            continue
        expected = model.run(by_id[operation].line)
        if text != expected and not (by_id[operation].line.startswith("/share") and text.endswith(f", {expected}")):
            yield f"message {number} answers {by_id[operation].line!r} with {text!r} instead of {expected!r}"


def _out_of_time(by_id: Mapping[str, Sent], replies: Mapping[int, tuple[str, str]]) -> Iterable[str]:
    """Who was acknowledged before somebody else began must come before that one."""
    latest_begin = float("-inf")
    for number in sorted(replies):
        one = by_id.get(replies[number][0])
        if one is None:
            continue
        if one.acknowledged is not None and one.acknowledged < latest_begin:
            yield f"message {number} ({one.operation}) comes after one that began when it was acknowledged already"
        latest_begin = max(latest_begin, one.sent)
