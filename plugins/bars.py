"""Health and mana: bars that members hit, heal and spend."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from mooring import BarSpec, Change, ChoicesFrom, CommandError, Context, Member, command, requires

Points = Annotated[int, Field(ge=1, le=1_000_000, description="how many points")]
NotNegative = Annotated[int, Field(ge=0)]
Target = Annotated[Member, Field(description="whom")]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class BarSettings(_Model):
    """How one kind of bar is made for somebody who has none yet."""

    maximum: Annotated[int, Field(ge=1, le=1_000_000)] = 100
    start: Annotated[int, Field(ge=0)] | None = None
    regain_per_minute: Annotated[float, Field(ge=0, multiple_of=0.001)] = 0


class Spell(_Model):
    """What a spell costs and does."""

    mana: NotNegative
    damage: NotNegative = 0
    heal: NotNegative = 0


class Boss(_Model):
    """Whom all members of a channel fight together."""

    name: Annotated[str, Field(min_length=1, max_length=40)] = "The dragon"
    health: Annotated[int, Field(ge=1, le=1_000_000_000)] = 1000


class Config(_Model):
    """The settings of this plugin."""

    health: BarSettings = BarSettings()
    mana: BarSettings = BarSettings()
    hit: Annotated[int, Field(ge=1)] = 10
    """The damage of a hit without an amount."""
    rest: Annotated[int, Field(ge=1)] = 25
    """What a rest gives to each bar."""
    boss: Boss = Boss()
    spells: dict[str, Spell] = {
        "fireball": Spell(mana=30, damage=25),
        "spark": Spell(mana=5, damage=4),
        "mend": Spell(mana=20, heal=20),
    }


def BARS(config: Config) -> list[BarSpec]:
    """The two bars of each member, and the one of the boss."""
    return [
        BarSpec("health", "health_bars", "Health", colour="#d55e00", **config.health.model_dump()),
        BarSpec("mana", "mana_bars", "Mana", colour="#2a84c8", **config.mana.model_dump()),
        BarSpec("boss", "health_bars", config.boss.name, maximum=config.boss.health, start=0, colour="#8a4fd0", owner="channel"),
    ]


@command(example="/bars @ann")
async def bars(ctx: Context, of: Target | None = None) -> str:
    """Show the bars of a member, or your own."""
    return _told(ctx, of or ctx.member)


@command(example="/hit @ann 20")
async def hit(ctx: Context, target: Target, amount: Points | None = None) -> str:
    """Take health from a member."""
    return _strike(ctx, f"{ctx.member} hits {_whom(ctx, target)}", target, amount or ctx.config.hit)


@command(example="/heal @ann 20")
async def heal(ctx: Context, target: Target, amount: Points) -> str:
    """Give health to a member."""
    return _mend(ctx, f"{ctx.member} heals {_whom(ctx, target)}", target, amount)


@command(example="/cast fireball @ann")
async def cast(
    ctx: Context,
    spell: Annotated[str, ChoicesFrom(lambda config: config.spells), Field(description="which spell")],
    target: Target | None = None,
) -> str:
    """Cast a spell on a member, or on yourself; it costs mana."""
    target = target or ctx.member
    power: Spell = ctx.config.spells[spell]
    mana = ctx.bar("mana")
    if not mana.take(power.mana):
        raise CommandError(f"{spell} costs {power.mana} mana, and you have {mana.value} of {mana.maximum}. /rest gives some back.")
    beginning = f"{ctx.member} casts {spell} on {_whom(ctx, target)}"
    parts = [f"{ctx.member} has {mana.value} of {mana.maximum} mana left."]
    if power.heal:
        parts.insert(0, _mend(ctx, beginning, target, power.heal))
    if power.damage or not power.heal:
        parts.insert(0, _strike(ctx, beginning, target, power.damage))
    return " ".join(parts)


@command(example="/rest")
async def rest(ctx: Context) -> str:
    """Take a rest, which gives back some health and mana."""
    for name in ("health", "mana"):
        ctx.bar(name).give(ctx.config.rest)
    return f"{ctx.member} rests. {_told(ctx, ctx.member)}"


@command(example="/boss")
async def boss(ctx: Context) -> str:
    """Show how much health the boss has left."""
    health = ctx.plugins.bar("boss").peek(ctx.storage)
    name = ctx.config.boss.name
    return f"{name} is not here. A moderator can /boss summon it." if health.empty else f"{name} has {health.value} of {health.maximum} health."


@command("boss hit", example="/boss hit 20")
async def boss_hit(ctx: Context, amount: Points | None = None) -> str:
    """Take health from the boss."""
    health = ctx.bar("boss")
    name = ctx.config.boss.name
    if health.empty:
        raise CommandError(f"{name} is not here. A moderator can /boss summon it.")
    change = health.lose(amount or ctx.config.hit)
    if change.emptied:
        return f"{ctx.member} strikes the last blow: {name} is down!"
    half = f" {name} is half beaten." if change.passed(50) else ""
    return f"{ctx.member} hits {name}: {-change.amount} damage. {change.after} of {change.maximum} health left.{half}"


@command("boss summon", example="/boss summon 500")
@requires("moderator")
async def boss_summon(ctx: Context, health: Points | None = None) -> str:
    """Bring the boss, with full health."""
    bar = ctx.bar("boss")
    bar.set_maximum(health or ctx.config.boss.health)
    bar.value = bar.maximum
    return f"{ctx.config.boss.name} appears, with {bar.maximum} health!"


def _whom(ctx: Context, target: Member) -> str:
    return "themselves" if target.id == ctx.member.id else target.name


def _strike(ctx: Context, beginning: str, target: Member, amount: int) -> str:
    change = ctx.bar("health", target).lose(amount)
    return f"{beginning}: {-change.amount} damage. {_state(target, change)}"


def _mend(ctx: Context, beginning: str, target: Member, amount: int) -> str:
    change = ctx.bar("health", target).give(amount)
    return f"{beginning}: {change.amount} health back. {_state(target, change)}"


def _state(target: Member, change: Change) -> str:
    end = " and is down!" if change.emptied else "."
    return f"{target} has {change.after} of {change.maximum} health{end}"


def _told(ctx: Context, member: Member) -> str:
    held = [(name, ctx.plugins.bar(name).peek(ctx.storage, member.id)) for name in ("health", "mana")]
    parts = [f"{bar.value} of {bar.maximum} {name}" for name, bar in held]
    return f"{member} has {' and '.join(parts)}."
