"""Writes `docs/protocol.md` from the classes of the frames: `python -m mooring.plugins.web.protocol_page docs/protocol.md`."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import msgspec

from mooring.plugins.web.config import GatewayLimits
from mooring.plugins.web.down_schema import ErrorCode, down_frames
from mooring.plugins.web.up_schema import UP

DOCS = Path(__file__).resolve().parents[2] / "docs"
_REFERENCES = "#/$defs/"

BEGINNING = """\
# Protocol

This page is generated from the classes that decode and encode the frames; do not edit it. `python -m mooring.plugins.web.protocol_page
docs/protocol.md` writes it, and a test keeps it current.

Members come in by WebSocket at `/ws`, on the port that serves the page. Each text message holds one frame, a JSON object:

```json
{"type": "message_up", "request_id": "k3-17", "body": {"channel_id": "tavern", "content": {"text": "/hit @ann 20"}}}
```

`type` is one of the words below, and `body` is what that word needs. A frame that goes up has a `request_id` that its client makes, 1 to
64 characters, unique for this member; the frame that answers it bears the same id. Unknown fields are refused.

## A conversation

1. `hello` is the first frame: with a `name` on a first visit, later with the `token` that `welcome` gave. Who holds the token is that person.
2. `join` names a channel. Its answer is the channel's state, a `history`, and an `ack`; from then on the channel's frames come.
3. `message_up`, `button_click`, `menu_item_click`, `refresh` and `leave` are events. Each is answered by an `ack` after everything that
   it changed is on disk, and after the messages that it caused.
4. `history` pages back, `ping` shows that somebody is here. The `pong` comes at once, whatever else takes its time: without it the connection is
   dead, though it may look open for minutes yet.

## Once only

An event whose answer was lost is sent again **with the same `request_id`**: after a reconnect, first `hello`, then `join`, then the
events that were not acknowledged. An event that had been handled is not handled again; its `ack` comes with `repeated`. The service remembers the
events of 24 hours, at most 10,000 a channel. An `error` with `retry` was not an answer either: send the event again a little later. Whoever cares for
their order sends the next event of a channel after the answer to the one before: of two on their way, the first alone may be refused.

## Missing nothing

Messages of a channel are numbered. A client that was away joins with `after`, the last number it has seen, and gets exactly what it
missed in a `history` of mode `missed`. If that is more than the service keeps, the mode is `latest`: forget what you have and begin there.
Messages for somebody else have numbers too, so there are gaps. Number 0 marks what is not kept, such as progress on its way; its last state comes
as a numbered message with the same `message_id`.

## Who is here

The answer to a `join` has the list of `characters`, in a large channel only its first hundred, and in `character_count` how long the list is.
From then on `character_changes` tell which entries are new, look otherwise or are gone, also entries that were not among the first. More of
the list comes for a `character_page`, in the order of names or by how they begin. `characters` may come again, and then takes the place of all
that was known.

## Clients in 30 lines

"""


def render() -> str:
    """The whole page."""
    parts = [BEGINNING]
    for name, language in (("member.py", "python"), ("member.mjs", "javascript")):
        parts.append(f"[{name}](clients/{name}):\n\n```{language}\n{(DOCS / 'clients' / name).read_text()}```\n\n")
    parts.append(_limits())
    frames = {**{f"up {name}": body for name, body in UP.items()}, **{f"down {name}": body for name, body in down_frames().items()}}
    schemas, definitions = _schemas(frames)
    for direction, title in (("up", "Up: what members send"), ("down", "Down: what they get")):
        parts.append(f"## {title}\n\n")
        for key, schema in schemas.items():
            if key.startswith(direction + " "):
                parts.append(_section(key.removeprefix(direction + " "), schema))
    parts.append("## Parts of bodies\n\n")
    parts += [_section(name, schema) for name, schema in sorted(definitions.items())]
    return "".join(parts).rstrip() + "\n"


def _schemas(bodies: Mapping[str, type[Any]]) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
    """The schema of each body, and those of their parts."""
    references, definitions = msgspec.json.schema_components(bodies.values(), ref_template=_REFERENCES + "{name}")
    named = {key: reference["$ref"].removeprefix(_REFERENCES) for key, reference in zip(bodies, references, strict=True)}
    parts = {name: each for name, each in definitions.items() if name not in named.values()}
    return {key: definitions[name] for key, name in named.items()}, parts


def _section(name: str, schema: dict[str, Any]) -> str:
    rest = {key: value for key, value in schema.items() if key not in {"title", "description"}}
    text = "\n".join(line.strip() for line in schema.get("description", "").splitlines()).strip()
    return f"### `{name}`\n\n{text}\n\n```json\n{json.dumps(rest, indent=1)}\n```\n\n"


def _limits() -> str:
    rows = [f"| `{name}` | {field.default} | {field.description or ''} |" for name, field in GatewayLimits.model_fields.items()]
    codes = (
        f"An `error` names its reason in `code`: {', '.join(f'`{code}`' for code in get_args(ErrorCode))}. "
        "The connection is closed with 1001 when the service goes down, 1008 after `no_hello`, `revoked` or endless refusals, 1009 for a "
        "huge message, 1013 when a client reads too slowly (it may come back at once and resume).\n\n"
    )
    table = "\n".join(["| limit | default | |", "|---|---|---|", *rows])
    return (
        f"## Limits and errors\n\n{codes}{table}\n\nCompression is not offered: messages are short, and windows cost memory for each connection.\n\n"
    )


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(render())
