"""What those in charge have done: who, what, to whom, why and when."""

from datetime import UTC, datetime

from pydantic import BaseModel, ValidationError

from mooring import CliContext, CommandError, Context, Store, cli_command, clip, command, format_duration, requires, suggestion, table

LONGEST_REASON = 300


class Entry(BaseModel):
    """What somebody in charge has done."""

    at: float = 0.0
    by: str = ""
    what: str = ""
    whom: str = ""
    why: str = ""


audit = Store("audit", model=Entry, default=Entry)
"""By number, as text of ten digits."""
audited = Store("audited", model=int, default=0, scope="channel")


def note(ctx: Context, what: str, whom: str = "", why: str = "") -> None:
    """Write down what the acting member does."""
    number = audited[ctx] = audited[ctx] + 1
    audit[ctx, f"{number:010}"] = Entry(at=ctx.clock(), by=ctx.member.name, what=what, whom=whom, why=why[:LONGEST_REASON])
    del audit[ctx, f"{max(0, number - ctx.config.audit_length):010}"]


@command("audit", example="/audit 20")
@requires("moderator")
async def show_audit(ctx: Context, count: int = 20) -> None:
    """Show what those in charge have done, the newest first."""
    newest = sorted(audit.all(ctx).items(), reverse=True)[: max(1, count)]
    rows = [[format_duration(max(0.0, ctx.clock() - each.at)), each.by, each.what, each.whom, each.why] for _, each in newest]
    ctx.tell(ctx.member, table(["ago", "who", "did", "to whom", "why"], rows, "Audit") if rows else "Nothing was done so far.")


@cli_command("audit")
def print_audit(ctx: CliContext, channel: str, count: int = 20) -> str:
    """Print what those in charge of CHANNEL have done, the newest first, whether the service runs or not."""
    there = [*ctx.channel_ids, *ctx.made_channel_ids()]
    if channel not in there:
        raise CommandError(f"There is no channel {clip(channel)} here.{suggestion(channel, there)}")
    newest = sorted(ctx.store(channel, "audit").items(), reverse=True)[: max(1, count)]
    return "\n".join(_line(kept) for _, kept in newest) or "Nothing was done so far."


def _line(kept: object) -> str:
    try:
        each = Entry.model_validate(kept)
    except ValidationError:
        return f"(an entry that cannot be read: {clip(repr(kept), 200)})"
    when = datetime.fromtimestamp(each.at, UTC).strftime("%Y-%m-%d %H:%M:%S")
    return "  ".join(part for part in (when, each.by, each.what, each.whom, each.why) if part)
