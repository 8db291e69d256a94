"""From the words of a line to the arguments of a function."""

from __future__ import annotations

from typing import Any

from mooring.commands.arguments import Argument
from mooring.commands.command import Command, Match
from mooring.commands.converters import NotValid
from mooring.commands.people import Channel, Member
from mooring.commands.tokens import next_token
from mooring.errors import CommandError
from mooring.text import clip


def parse(match: Match, channel: Channel) -> list[Any]:
    """The values for the handler, in the order of its parameters.

    Raises CommandError with one line: what was wrong, what is expected, and the example.
    """
    try:
        return _Reader(match, channel).read()
    except CommandError as error:
        raise CommandError(f"{error} {how_to(match.command)}") from error


def how_to(command: Command) -> str:
    """`Usage: /hit target amount. Example: /hit @ann 20`"""
    usage = f"Usage: {command.usage}"
    return f"{usage}. Example: {command.example}" if command.example != command.usage else usage


class _Reader:
    """Reads a line from left to right, argument by argument."""

    def __init__(self, match: Match, channel: Channel) -> None:
        self._arguments = match.command.arguments
        self._name = match.command.name
        self._line = match.line
        self._position = match.start
        self._channel = channel
        self._skipped: CommandError | None = None

    def read(self) -> list[Any]:
        values: list[Any] = []
        for number, argument in enumerate(self._arguments):
            values.extend(self._take(argument, may_skip=number + 1 < len(self._arguments)))
        extra = self._line[self._position :].strip()
        if extra:
            raise self._skipped or CommandError(f"/{self._name} does not take so much: {clip(extra)}.")
        return values

    def _take(self, argument: Argument, *, may_skip: bool) -> list[Any]:
        """The argument's values for the parameter list: one, or for `*names` any number."""
        if argument.rest:
            return [self._take_rest(argument)]
        if argument.repeated:
            found = self._take_all(argument)
            return found if argument.variadic else [found]
        before = self._position
        try:
            value = self._take_one(argument)
        except CommandError as error:
            # `/list 2` leaves out an optional kind before the page; only if nothing else fits either is it an error.
            if argument.required or not may_skip:
                raise self._skipped or error from None
            self._position = before
            self._skipped = self._skipped or error
            return [argument.default]
        return [argument.default if value is _NOTHING else value]

    def _take_all(self, argument: Argument) -> list[Any]:
        found: list[Any] = []
        while (value := self._take_one(argument, optional=bool(found))) is not _NOTHING:
            found.append(value)
        return found or list(argument.default)

    def _take_rest(self, argument: Argument) -> Any:
        typed = self._line[self._position :].strip()
        self._position = len(self._line)
        if typed:
            return self._convert(argument, typed)
        if argument.required:
            raise _missing(argument)
        return argument.default

    def _take_one(self, argument: Argument, *, optional: bool = False) -> Any:
        """The next value, or `_NOTHING` when the line is at its end."""
        token = next_token(self._line, self._position)
        if token is None:
            if argument.required and not optional:
                raise _missing(argument)
            return _NOTHING
        if argument.kind == "member" and not token.quoted:
            member = self._member_of_several_words(token.start)
            if member is not None:
                return member
        self._position = token.end
        return self._convert(argument, token.text)

    def _member_of_several_words(self, start: int) -> Member | None:
        """`@Ann Lee` without quotes, if nobody is called `Ann` alone."""
        typed = self._line[start:].removeprefix("@")
        offset = len(self._line) - len(typed)
        words = typed.split()
        if not words or self._channel.named(words[0]) is not None:
            return None
        for count in range(min(len(words), _MOST_WORDS), 1, -1):
            member = self._channel.named(" ".join(words[:count]))
            if member is not None:
                self._position = offset + _end_of_words(typed, count)
                return member
        return None

    def _convert(self, argument: Argument, word: str) -> Any:
        try:
            return argument.converter.convert(word, self._channel)
        except NotValid as error:
            raise CommandError(f"{argument.name}: {clip(word)} is not {argument.expects}.{error}") from error


_NOTHING: Any = object()
_MOST_WORDS = 8
"""Of a name that is written without quotes."""


def _missing(argument: Argument) -> CommandError:
    return CommandError(f"{argument.name} is missing; it must be {argument.expects}.")


def _end_of_words(text: str, count: int) -> int:
    """Where the first `count` words of `text` end."""
    position = 0
    for _ in range(count):
        while text[position].isspace():
            position += 1
        while position < len(text) and not text[position].isspace():
            position += 1
    return position
