"""What the plugins of a running service share; reloading one of them keeps it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mooring.bots.shared_stores import SharedStores
from mooring.channels.workers import StuckRuns
from mooring.commands.pending import PendingConfirmations, Runs


@dataclass
class PluginRuntime:
    """One for a service. In memory only."""

    runs: Runs = field(default_factory=Runs)
    pending: PendingConfirmations = field(default_factory=PendingConfirmations)
    stuck: StuckRuns = field(default_factory=StuckRuns)
    shared_stores: SharedStores = field(default_factory=SharedStores)
    states: dict[str, Any] = field(default_factory=dict)
    """What each plugin's `lifespan` yielded, by the plugin's name."""
