"""The application that `python service.py` and `mooring run` start: where a newcomer begins to read.

`ChannelService` hosts the channels and brings each event to the commands and hooks of the plugins. What is left to say here is
what a channel keeps, and where: one MoobiusStorage per channel, whose dicts live in the engines that the db config names.
"""

from __future__ import annotations

import asyncio
import logging

from mooring import ChannelService, MoobiusStorage, run_command_line

log = logging.getLogger("service")


class Application(ChannelService):
    """What runs here. Others override more hooks; `ChannelService` has all of them."""

    async def on_channel_init(self, channel_id: str) -> None:
        """Open the dicts of one channel before its first event. It blocks (files, servers), hence the thread."""
        db_config = self.config["db_config"]
        self.channels[channel_id] = await asyncio.to_thread(MoobiusStorage, self.service_id, channel_id, db_config)
        await self.on_channel_checkin(channel_id)

    async def on_start(self) -> None:
        """All channels are open, and members come in when this returns."""
        for channel_id, storage in self.channels.items():
            log.debug("channel %s keeps the dicts %s", channel_id, ", ".join(storage.names()))


def main() -> None:
    """Run the command line: the service, and the commands that look after it."""
    run_command_line(Application)


if __name__ == "__main__":
    main()
