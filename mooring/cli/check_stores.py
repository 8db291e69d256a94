"""What is in the stores of JSON files: what of it is damaged, and what migrations would do with it. Nothing is opened or written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mooring.bots.plugins import Plugins
from mooring.bots.schemas import Values, migrated
from mooring.channels.system_dicts import SHARED_VARIANT, VERSIONS
from mooring.errors import PluginError
from mooring.service.old_data import json_roots
from storage.database_interface import Finding
from storage.domains import domain_of, last_part
from storage.errors import StorageError
from storage.json.inspection import decoded, inspect

_MOST = 50
"""Findings of one folder that are told each by itself."""


@dataclass
class Look:
    """What was found."""

    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What is worth knowing, and no fault."""


def look_through(service_id: str, entries: Sequence[Mapping[str, Any]], plugins: Plugins) -> Look:
    """Each folder of a db config. Blocks for as long as reading everything takes."""
    look, dicts = Look(), dict[str, Mapping[str, Any]]()
    declared = [*plugins.values, *plugins.store_values, *plugins.shared_values]
    wanted = {VERSIONS.changed_as, *(last_part(values.dict) for values in declared)}
    for root in dict.fromkeys(root.resolve() for root in json_roots(entries)):
        try:
            found = inspect(root)
        except StorageError as error:
            look.faults.append(str(error))
            continue
        damaged = [finding for finding in found.findings if finding.kind == "damaged"]
        look.faults += [_line(finding) for finding in damaged[:_MOST]]
        if len(damaged) > _MOST:
            look.faults.append(f"{root}: {len(damaged) - _MOST} more")
        look.notes += [f"{finding.where}: {finding.reason}" for finding in found.findings if finding.kind == "torn"]
        dicts.update((domain, decoded(texts)) for domain, texts in found.dicts.items() if domain.rpartition(".")[2] in wanted)
    for values in declared:
        _look_at_migrations(service_id, values, dicts, look)
    return look


def _line(finding: Finding) -> str:
    what = f" key {finding.key!r} of" if finding.key is not None else ""
    whose = f"{what} {finding.domain}" if finding.domain else ""
    return f"{finding.where}:{whose}: {finding.reason}" if whose else f"{finding.where}: {finding.reason}"


def _look_at_migrations(service_id: str, values: Values, dicts: Mapping[str, Mapping[str, Any]], look: Look) -> None:
    """What the next start would do with the values of one declaration, in every channel that has some."""
    of_service, ending = domain_of(service_id, "", "").partition(".")[0] + ".", "." + last_part(values.dict)
    for domain in [each for each in dicts if each.startswith(of_service) and each.endswith(ending)]:
        place, kept = domain.removesuffix(ending), dicts[domain]
        before = dicts.get(f"{place}.{VERSIONS.changed_as}", {}).get(values.dict, 1 if kept else values.version)
        where = f"{values.dict} of {'all channels' if place.endswith(f'%{SHARED_VARIANT}') else place.removeprefix(of_service)}"
        if not isinstance(before, int) or before > values.version:
            look.faults.append(f"{where} is of version {before}, and the plugin knows only up to {values.version}; use a newer plugin")
        elif before < values.version:
            try:
                for key, old in kept.items():
                    migrated(values, before, old, f"{where}: [{key!r}]")
            except PluginError as error:
                look.faults.append(str(error))
            else:
                look.notes.append(f"{where}: {len(kept)} values would be migrated from version {before} to {values.version}")
