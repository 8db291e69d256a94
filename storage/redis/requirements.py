"""What a server has to be like, and what its user must be allowed to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgpack

from storage.redis.address import RedisAddress

_OLDEST = 7
"""Of Redis; Valkey tells a later one of those as its own in the same place."""

_EVICTING = "allkeys-"
"""How the policies begin by which a server throws away keys that nobody said may go."""


def fault_of(info: Mapping[str, str]) -> str | None:
    """Why a server that says this of itself cannot be used, with the remedy."""
    version, policy = info.get("redis_version", ""), info.get("maxmemory_policy", "")
    if version.partition(".")[0].isdecimal() and int(version.partition(".")[0]) < _OLDEST:
        return f"is of version {version}; Redis {_OLDEST} or Valkey 8 is the oldest that has what is needed"
    if policy.startswith(_EVICTING):
        return (
            f"evicts any key when its memory is full (maxmemory-policy {policy}), and dicts would be gone unannounced; "
            "set the policy to noeviction, with CONFIG SET maxmemory-policy noeviction and in its config file, or use another server"
        )
    return None


def read_info(text: bytes) -> dict[str, str]:
    """The answer to INFO."""
    lines = (line.partition(":") for line in text.decode(errors="replace").splitlines())
    return {name: value for name, colon, value in lines if colon}


def commands_needed(address: RedisAddress, keys: Sequence[bytes]) -> bytes:
    """All that is ever sent to the server or run by a script, for RIGHTS; `keys` are the record, the stream, a commit, the turn and a hash."""
    record, stream, commit, turn, table = keys
    commands: list[tuple[str | bytes, ...]] = [
        *((name, "", "1", table) for name in ("EVAL", "EVALSHA")),
        *((name, commit) for name in ("GET", "TYPE", "EXISTS", "DEL")),
        *(("SET", key, "") for key in (commit, turn)),
        *((name, table) for name in ("HGETALL", "HKEYS", "HLEN")),
        *((name, table, "") for name in ("HGET", "HMGET", "HEXISTS", "HDEL")),
        *(("HSET", key, "", "") for key in (record, table)),
        ("XADD", stream, "*", "", ""),
        ("XRANGE", stream, "-", "+"),
        ("XREVRANGE", stream, "+", "-"),
        ("XTRIM", stream, "MINID", "0"),
        ("XREAD", "STREAMS", stream, "0"),
        ("MEMORY", "USAGE", table),
        ("PING",),
        ("TIME",),
        ("INFO",),
    ]
    if address.kind == "cluster":
        commands += [("CLUSTER", "SLOTS"), ("ASKING",)]
    if address.replicas:
        commands.append(("WAIT", "1", "1"))
    if address.db:
        commands.append(("SELECT", str(address.db)))
    packed: bytes = msgpack.packb(commands, use_bin_type=False)
    return packed
