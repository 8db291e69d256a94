"""Who may use which command of a plugin, as the config says, over what the plugin itself asks for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from mooring.commands.command import Command
from mooring.commands.rules import Rules
from mooring.errors import PluginError
from mooring.roles import ROLES, rank
from mooring.text import suggestion

ALL = "*"

Allowed = Mapping[str, Sequence[str]]
"""Roles and names of groups, by the name of a command, by the word with which several begin, or by `*` for the whole plugin."""
Groups = Mapping[str, Sequence[str]]
"""The ids of members, by the name of their group."""


def permitted(commands: Iterable[Command], allowed: Allowed, groups: Groups) -> tuple[Command, ...]:
    """The commands with the rules that the config gives them; the longest name that fits a command counts.

    Raises PluginError for a command, role or group that is not there.
    """
    commands = tuple(commands)
    names = {" ".join(words[:count]) for command in commands for words in [command.name.split()] for count in range(1, len(words) + 1)}
    for name in allowed:
        if name != ALL and name not in names:
            raise PluginError(f"its permissions name /{name}, which it does not have.{suggestion(name, names, '/')}")
    return tuple(_with(command, allowed, groups) for command in commands)


def rules_for_all(allowed: Allowed, groups: Groups) -> Rules:
    """Who may use the plugin at all, where no command's own permission says otherwise."""
    return _rules(Rules(), allowed[ALL], groups) if ALL in allowed else Rules()


def _with(command: Command, allowed: Allowed, groups: Groups) -> Command:
    words = command.name.split()
    fitting = [name for count in range(len(words), 0, -1) if (name := " ".join(words[:count])) in allowed]
    if not fitting and ALL not in allowed:
        return command
    rules = _rules(command.rules, allowed[fitting[0] if fitting else ALL], groups)
    return replace(command, rules=rules, requires=rules.role)


def _rules(rules: Rules, names: Sequence[str], groups: Groups) -> Rules:
    for name in names:
        if name not in ROLES and name not in groups:
            raise PluginError(f"its permissions name {name}, which is no role and no group.{suggestion(name, [*ROLES, *groups])}")
    roles = [name for name in names if name in ROLES]
    own = tuple(name for name in names if name not in ROLES)
    # Owners always may: nobody can shut out all who could mend it.
    role = min(roles, key=rank, default=ROLES[-1])
    return replace(rules, role=role, groups=own, members=frozenset(member_id for name in own for member_id in groups[name]))
