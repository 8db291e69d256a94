"""One plugin, with its state in a model of each kind."""

_COMMANDS = '''
baskets = Store("baskets", model=Basket, default=Basket)

@command(example="/look")
async def look(ctx: Context) -> str:
    """Look into your basket."""
    return f"{baskets[ctx].count} {list(baskets[ctx].items)}"

@command(example="/put apple")
async def put(ctx: Context, thing: str) -> str:
    """Put something into it."""
    basket = baskets[ctx]
    basket.items.append(thing)
    basket.count += 1
    assert baskets[ctx] is basket
    return f"{baskets[ctx].count} {baskets[ctx].items}"

@command(example="/drop")
async def drop(ctx: Context) -> None:
    """Empty it, and fail."""
    baskets[ctx].items.clear()
    raise ValueError

@command(example="/spoil")
async def spoil(ctx: Context) -> None:
    """Change it into what it cannot be."""
    baskets[ctx].count = "two"
'''

_HEAD = "from mooring import Context, Store, command\n"

BASKETS = {
    "pydantic": _HEAD + "from pydantic import BaseModel\nclass Basket(BaseModel):\n    count: int = 0\n    items: list[str] = []\n" + _COMMANDS,
    "msgspec": _HEAD + "import msgspec\nclass Basket(msgspec.Struct):\n    count: int = 0\n    items: list[str] = []\n" + _COMMANDS,
    "dataclass": _HEAD
    + "from dataclasses import dataclass, field\n@dataclass\nclass Basket:\n    count: int = 0\n    items: list[str] = field(default_factory=list)\n"
    + _COMMANDS,
}
