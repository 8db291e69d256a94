"""The other frameworks' counters, each in a process of its own: `python -m benchmarks.bots_children NAME [ADDRESS]` in the bot's folder.

What runs is the code of docs/comparison.md. The two other discord.py bots differ from it in how they keep the counts only.
"""

from __future__ import annotations

import importlib
import logging
import re
import sys
import threading
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[1] / "docs" / "comparison.md"

RENAME = """    FILE.with_suffix(".tmp").write_text(json.dumps(counts))
    FILE.with_suffix(".tmp").replace(FILE)
"""

SQLITE = '''
import sqlite3

import discord
from discord.ext import commands

database = sqlite3.connect("counts.sqlite", isolation_level=None)
database.execute("CREATE TABLE IF NOT EXISTS counts (key TEXT PRIMARY KEY, count INTEGER)")
bot = commands.Bot(command_prefix="/", intents=discord.Intents.default())


@bot.hybrid_command()
async def count(ctx: commands.Context, by: int = 1):
    """Count on from where you are."""
    key = f"{ctx.channel.id}/{ctx.author.id}"
    database.execute("INSERT INTO counts VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET count = count + excluded.count", (key, by))
    (counted,) = database.execute("SELECT count FROM counts WHERE key = ?", (key,)).fetchone()
    await ctx.send(f"{ctx.author.display_name} is at {counted}.")
'''


def on_the_page(framework: str) -> str:
    """The page's counter for one framework."""
    section = PAGE.read_text("utf-8").split("\n## Counter\n")[1]
    match = re.search(rf"^```python {re.escape(framework)}\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    assert match is not None
    return match[1]


def discord_source(kept: str) -> str:
    """The bot that keeps its counts by `write_text`, `rename` or `sqlite3`."""
    source = SQLITE if kept == "sqlite3" else on_the_page("discord.py")
    if kept == "rename":
        source = source.replace("    FILE.write_text(json.dumps(counts))\n", RENAME)
    # The commands come as messages, whose text Discord gives only to bots that ask for it.
    return source.replace("Intents.default()", "Intents.all()")


def run_discord(kept: str, address: str) -> None:
    """discord.py as it is, but for the address of Discord."""
    gateway: Any = importlib.import_module("discord.gateway")
    http: Any = importlib.import_module("discord.http")
    yarl: Any = importlib.import_module("yarl")
    http.Route.BASE = f"http://{address}/api/v10"
    gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(f"ws://{address}/")
    names: dict[str, Any] = {"__name__": "counter"}
    exec(compile(discord_source(kept), "counter.py", "exec"), names)  # the page's own code
    names["bot"].run("a.token.of-nobody", log_level=logging.ERROR)


def run_errbot(shelf: str) -> None:
    """errbot on its test backend, told by lines of input who says what; its answers are lines of output."""
    if shelf == "dumb":  # what shelve falls back to where Python has neither gdbm nor ndbm
        sys.modules["_gdbm"] = sys.modules["_dbm"] = None  # type: ignore[assignment]
    plugins = Path("plugins/counter")
    plugins.mkdir(parents=True, exist_ok=True)
    (plugins / "counter.plug").write_text("[Core]\nName = Counter\nModule = counter\n\n[Python]\nVersion = 3\n")
    (plugins / "counter.py").write_text(on_the_page("errbot"))
    Path("data").mkdir(exist_ok=True)
    bootstrap: Any = importlib.import_module("errbot.bootstrap")
    backend: Any = importlib.import_module("errbot.backends.test")
    base: Any = importlib.import_module("errbot.backends.base")
    config = backend.ShallowConfig()
    config.__dict__.update(importlib.import_module("errbot.config-template").__dict__)
    config.BOT_DATA_DIR, config.BOT_EXTRA_PLUGIN_DIR, config.BOT_LOG_FILE = str(Path("data").absolute()), str(plugins.absolute()), None
    config.STORAGE, config.BOT_ADMINS = "Shelf", ("gbin@localhost",)
    logging.disable(logging.INFO)
    bot = bootstrap.setup_bot("Test", logging.getLogger(""), config)
    if bot is None:
        sys.exit("errbot did not start")
    bot.connect_callback()
    threading.Thread(target=_print_answers, args=[bot.outgoing_message_queue], daemon=True).start()
    print("ready", flush=True)
    for line in sys.stdin:
        name, text = line.rstrip("\n").split(" ", 1)
        message = base.Message(text)
        message.frm, message.to = backend.TestPerson(name, nick=name), bot.bot_identifier
        bot.callback_message(message)


def _print_answers(answers: Any) -> None:
    while True:
        print(answers.get().strip().replace("\n", " "), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "errbot":
        run_errbot(sys.argv[2])
    else:
        run_discord(sys.argv[2], sys.argv[3])
