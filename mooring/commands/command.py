"""Commands as data: the decorator, one command, and the table in which lines are looked up."""

from __future__ import annotations

import inspect
import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar, overload

from mooring.commands.arguments import Argument, arguments_of
from mooring.commands.people import Member
from mooring.commands.rules import Rules, allows, audience, rules_of
from mooring.errors import CommandError, PluginError
from mooring.text import clip, fold, nearest

Handler = TypeVar("Handler", bound=Callable[..., Any])
_MARK = "__mooring_command__"
_WORD = re.compile(r"\S+")


@dataclass(frozen=True)
class CommandMark:
    """What the decorator notes on a function. The command itself is made when the plugin is loaded, with its config."""

    name: str
    example: str
    aliases: tuple[str, ...]


@overload
def command(name: Handler, /) -> Handler: ...


@overload
def command(name: str = "", /, *, example: str = "", aliases: Sequence[str] = ()) -> Callable[[Handler], Handler]: ...


def command(name: Any = "", /, *, example: str = "", aliases: Sequence[str] = ()) -> Any:
    """Make a function a command; it takes the Context and then the command's arguments, read by their annotations.

    The command is called like the function unless `name` says otherwise; `"torbox list"` makes a subcommand. `example` is a
    whole line. The first line of the docstring is what `/help` lists. A returned str is the reply.
    """

    def mark(function: Handler) -> Handler:
        own_name = name if isinstance(name, str) and name else function.__name__.replace("_", "-")
        setattr(function, _MARK, CommandMark(own_name, example, tuple(aliases)))
        return function

    return mark(name) if callable(name) else mark


@dataclass(frozen=True)
class Command:
    """One command of one plugin."""

    name: str
    summary: str
    help: str
    example: str
    arguments: tuple[Argument, ...]
    aliases: tuple[str, ...]
    requires: str | None
    """The role that a member needs, or None."""
    plugin: str
    handler: Callable[..., Any] = field(repr=False)
    rules: Rules = field(repr=False, default_factory=Rules)

    @property
    def usage(self) -> str:
        """`/hit target amount`"""
        return " ".join([f"/{self.name}", *(argument.usage for argument in self.arguments)])

    def allows(self, member: Member) -> bool:
        """Whether the member may use it."""
        return allows(self.rules, member)

    @property
    def audience(self) -> str:
        """Who may use it, in words; empty for everybody."""
        return audience(self.rules)

    def describe(self) -> dict[str, Any]:
        """The command in JSON-ready form, as the page's completion and the docs use it."""
        return {
            "name": self.name,
            "summary": self.summary,
            "help": self.help,
            "usage": self.usage,
            "example": self.example,
            "aliases": list(self.aliases),
            "requires": self.requires,
            "plugin": self.plugin,
            "arguments": [
                {
                    "name": argument.name,
                    "kind": argument.kind,
                    "required": argument.required,
                    "choices": list(argument.choices),
                    "help": argument.help,
                    "usage": argument.usage,
                    "expects": argument.expects,
                }
                for argument in self.arguments
            ],
        }


class Match(NamedTuple):
    """A line that names a command, and where in the line its arguments begin."""

    command: Command
    line: str
    start: int

    @property
    def rest(self) -> str:
        """The arguments as they were typed."""
        return self.line[self.start :].strip()


def commands_of(plugin: str, functions: Iterable[Callable[..., Any]], config: Any) -> tuple[Command, ...]:
    """The commands among `functions`. Raises PluginError if one of them is not made as it must be."""
    return tuple(_command(plugin, function, config) for function in functions if hasattr(function, _MARK))


def _command(plugin: str, function: Callable[..., Any], config: Any) -> Command:
    mark: CommandMark = getattr(function, _MARK)
    for name in (mark.name, *mark.aliases):
        if name != " ".join(fold(name).split()) or name.startswith("/"):
            raise PluginError(f"command name {name!r}: use lower-case words separated by single spaces, without a slash")
    documentation = inspect.getdoc(function) or ""
    try:
        arguments = arguments_of(function, config)
    except PluginError as error:
        raise PluginError(f"/{mark.name}: {error}") from error
    rules = rules_of(function)
    return Command(
        name=mark.name,
        summary=documentation.split("\n", 1)[0].strip(),
        help=documentation,
        example=mark.example or f"/{mark.name}",
        arguments=arguments,
        aliases=mark.aliases,
        requires=rules.role,
        plugin=plugin,
        handler=function,
        rules=rules,
    )


class CommandTable:
    """All commands, found by the words with which a line begins. The longest name that fits wins."""

    def __init__(self, commands: Iterable[Command] = ()) -> None:
        self._commands: dict[str, Command] = {}
        self._by_words: dict[tuple[str, ...], Command] = {}
        for entry in commands:
            self._add(entry)
        self._longest: dict[str, int] = {}
        """How many words the longest name has that begins with a word."""
        for words in self._by_words:
            self._longest[words[0]] = max(len(words), self._longest.get(words[0], 0))

    def _add(self, entry: Command) -> None:
        for name in (entry.name, *entry.aliases):
            taken = self._by_words.setdefault(tuple(name.split()), entry)
            if taken is not entry:
                raise PluginError(f"/{name} is a command of plugin {taken.plugin} already; rename one of the two")
        self._commands[entry.name] = entry

    @property
    def commands(self) -> Mapping[str, Command]:
        """Every command by its name, without the aliases."""
        return MappingProxyType(self._commands)

    def names(self) -> list[str]:
        """Every name and alias, sorted."""
        return sorted(" ".join(words) for words in self._by_words)

    def group(self, name: str) -> list[Command]:
        """The subcommands below `name`."""
        return [entry for entry in self._commands.values() if entry.name.startswith(name + " ")]

    def find(self, line: str) -> Match | None:
        """The command that a line like `/hit @ann 20` names, or None."""
        first = _WORD.search(line, line.find("/") + 1)
        word = "" if first is None else fold(first[0])
        longest = self._longest.get(word, 0)
        if first is not None and longest == 1:
            return Match(self._by_words[(word,)], line, first.end())
        if longest:
            words, ends = _leading_words(line, longest)
            for count in range(len(words), 0, -1):
                entry = self._by_words.get(tuple(words[:count]))
                if entry is not None:
                    return Match(entry, line, ends[count - 1])
        return None

    def resolve(self, line: str) -> Match:
        """The same, but an unknown command raises CommandError with the nearest one."""
        match = self.find(line)
        if match is None:
            raise CommandError(self._unknown(line))
        return match

    def _unknown(self, line: str) -> str:
        words, _ = _leading_words(line, 2)
        if not words:
            return "A command is missing after the slash. Type /help for all commands."
        group = self.group(words[0])
        if group and len(words) == 1:
            return f"/{words[0]} needs one of {', '.join(entry.name.split(' ', 1)[1] for entry in group)}. Example: {group[0].example}"
        typed = " ".join(words) if group else words[0]
        names = [entry.name for entry in group] if group else self.names()
        match = nearest(typed, names)
        meant = self._by_words.get(tuple(match.split())) if match else None
        example = f" Did you mean /{match}? Example: {meant.example}" if meant else " Type /help for all commands."
        return f"There is no command /{clip(typed)}.{example}"

    def name_of(self, line: str) -> str | None:
        """The name of the command that a line runs, None if it is none."""
        match = self.find(line)
        return match.command.name if match else None

    def describe(self) -> list[dict[str, Any]]:
        """All commands in JSON-ready form, sorted by name."""
        return [self._commands[name].describe() for name in sorted(self._commands)]


def _leading_words(line: str, most: int) -> tuple[list[str], list[int]]:
    """The first words of a command line, folded, and where each ends."""
    found = list(itertools.islice(_WORD.finditer(line, line.find("/") + 1), most))
    return [fold(word[0]) for word in found], [word.end() for word in found]
