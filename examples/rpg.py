"""A small role play: work takes stamina, which comes back with time, and brings gold."""

from mooring import BarSpec, CommandError, Context, Member, command, cooldown

BARS = [BarSpec("stamina", "stamina", "Stamina", maximum=10, regain_per_minute=1, colour="#3aa675")]


@command(example="/work")
async def work(ctx: Context) -> str:
    """Work for 4 stamina, and earn a piece of gold."""
    stamina = ctx.bar("stamina")
    if not stamina.take(4):
        raise CommandError(f"You are too tired: {stamina.value} of {stamina.maximum} stamina, and work takes 4.")
    gold = ctx.storage.gold[ctx.member.id] = ctx.storage.gold.get(ctx.member.id, 0) + 1
    return f"{ctx.member} works and owns {gold} gold. {stamina.value} stamina left."


@command(example="/give @ann 1")
async def give(ctx: Context, to: Member, amount: int) -> str:
    """Give gold to a member."""
    gold = ctx.storage.gold
    if not 0 < amount <= gold.get(ctx.member.id, 0):
        raise CommandError(f"You have {gold.get(ctx.member.id, 0)} gold.")
    gold[ctx.member.id] -= amount
    gold[to.id] = gold.get(to.id, 0) + amount
    return f"{ctx.member} gives {amount} gold to {to}."


@command(example="/nap")
@cooldown("1h")
async def nap(ctx: Context) -> str:
    """Sleep, once an hour, and wake up with all your stamina."""
    stamina = ctx.bar("stamina")
    stamina.value = stamina.maximum
    return f"{ctx.member} is fresh again."
