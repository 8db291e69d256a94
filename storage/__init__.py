"""Persistent dicts for chat channels, usable alone as a library.

The engines are imported when they are first asked for, so that what they need has to be installed only by who uses them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from storage.database_interface import DatabaseInterface, DomainChanges, Finding, Origin
from storage.db_config import DbConfig
from storage.dicts.cached_dict import CachedDict
from storage.dicts.transaction import Transaction
from storage.encoding.codec import register, registered_classes
from storage.errors import (
    CommitFailed,
    ConfigError,
    Fault,
    ForeignDict,
    KeyRefused,
    OutcomeUnknown,
    PredecessorFailed,
    StorageBusy,
    StorageError,
    StorageUnavailable,
    StoreClosed,
    StoreLocked,
    TransactionEnded,
    UnreadableValue,
    ValueRefused,
    VersionConflict,
)
from storage.moobius_storage import MoobiusStorage
from storage.outcome import Outcome

if TYPE_CHECKING:
    from storage.json.database import JSONDatabase
    from storage.null.database import NullDatabase
    from storage.redis.database import RedisDatabase

_ENGINE_MODULES = {
    "JSONDatabase": "storage.json.database",
    "NullDatabase": "storage.null.database",
    "RedisDatabase": "storage.redis.database",
}

__all__ = [
    "CachedDict",
    "CommitFailed",
    "ConfigError",
    "DatabaseInterface",
    "DbConfig",
    "DomainChanges",
    "Fault",
    "Finding",
    "ForeignDict",
    "JSONDatabase",
    "KeyRefused",
    "MoobiusStorage",
    "NullDatabase",
    "Origin",
    "Outcome",
    "OutcomeUnknown",
    "PredecessorFailed",
    "RedisDatabase",
    "StorageBusy",
    "StorageError",
    "StorageUnavailable",
    "StoreClosed",
    "StoreLocked",
    "Transaction",
    "TransactionEnded",
    "UnreadableValue",
    "ValueRefused",
    "VersionConflict",
    "register",
    "registered_classes",
]


def __getattr__(name: str) -> Any:
    if name not in _ENGINE_MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_ENGINE_MODULES[name]), name)
