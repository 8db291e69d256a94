"""Pictures, sounds and files: uploaded, sent and deleted, downloaded again."""

import os
import pathlib

from moobius import Moobius, MoobiusWand, types
from moobius.types import MessageBody, MessageContent


def draw(name, text):
    with open(name, "w") as file:
        file.write(text)
    return name


class FileBot(Moobius):
    async def on_start(self):
        self.logo = await self.upload(draw("logo.png", "logo"))
        os.remove("logo.png")

    async def on_message_up(self, message):
        where, who, members = message.channel_id, message.sender, await self.fetch_member_ids(message.channel_id)
        match message.content.text:
            case "logo":
                await self.send_message(self.logo, where, who, members, subtype=types.IMAGE)
            case "path":
                place = draw("picture.png", "picture")
                sent = await self.send_message(pathlib.Path(place), where, who, members)
                os.remove(place)
                await self.send_message(f"it is at {sent['body']['content']['path']}", where, who, members)
            case "sound":
                await self.send_message(audio=draw("song.mp4", "song"), message="", channel_id=where, sender=who, recipients=members)
            case "file":
                place = draw("data.bin", "x" * 100)
                await self.send_message(place, where, who, members, subtype=types.FILE, file_display_name="Data.bin")
            case "body":
                content = MessageContent(path=draw("body.png", "body"))
                await self.send_message(MessageBody(types.IMAGE, where, content, 0, members, who, None))
            case "round trip":
                content = await self.download(self.logo, bytes=True)
                saved = await self.download(self.logo, "saved")
                await self.send_message(f"{content.decode()} {os.path.basename(saved)}", where, who, members)
            case "card":
                card = {"link": "https://example.org", "title": "Title", "button": "Go", "text": "Words"}
                await self.send_message(card, where, who, members, subtype=types.CARD)
            case "nobody":
                assert await self.send_message("for nobody", where, who, []) is None
            case _:
                await self.send_message(message)


if __name__ == "__main__":
    MoobiusWand().run(FileBot, config="config/config.json")
