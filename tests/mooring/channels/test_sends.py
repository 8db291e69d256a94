"""What is sent: one object from the sender to the members and the history, which nothing that the sender does later changes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mooring import ChannelService, MessageBody, MessageContent
from tests.service_for_tests import running


class Reworder(ChannelService):
    """Sends the message that came, and goes on writing in it."""

    async def on_message_up(self, message: MessageBody) -> None:
        for text in ("first", "second"):
            message.content.text = text
            message.subtype = "text"
            await self.send_message(message)
        message.content.text = "never sent"


async def test_what_is_delivered_and_kept_is_one_object(tmp_path: Path) -> None:
    async with running(tmp_path) as bot:
        await bot.join("ann")
        await bot.say("ann", "hello")
        (kept,) = bot.service.history("tavern", "ann", after=1)
        assert kept is bot.recorder.downs[-1]
        assert kept.body.content.text == "hello"


async def test_a_sender_who_goes_on_writing_changes_nothing_that_was_sent(tmp_path: Path) -> None:
    async with running(tmp_path, Reworder) as bot:
        await bot.join("ann")
        came = MessageBody("text", "tavern", MessageContent(text="hello"))
        assert (await bot.act("message_up", "ann", came)).ok
        assert bot.recorder.texts()[-2:] == ["first", "second"]
        assert came.content.text == "hello", "the event stays as it came, in case it has to be handled again"
        identifiers = {down.body.message_id for down in bot.service.history("tavern", "ann", after=1)}
        assert len(identifiers) == 2, "each is a message of its own"


async def test_an_answer_that_is_used_again_is_sent_as_it_was_written(tmp_path: Path) -> None:
    greeting = MessageBody("text", "", MessageContent(text="welcome"))

    async with running(tmp_path) as bot:
        await bot.join("ann", "bob")
        for name in ("ann", "bob"):
            await bot.service.send_message(greeting, "tavern", recipients=name)
        assert [down.body.recipients for down in bot.recorder.downs if down.type == "message_down"][-2:] == [["ann"], ["bob"]]
        assert (greeting.channel_id, greeting.message_id, greeting.timestamp) == ("", None, 0)


@dataclass
class Unknown:
    """A class that storage knows nothing of."""

    depth: int


async def test_what_a_message_carries_besides_is_kept_as_json(tmp_path: Path) -> None:
    async with running(tmp_path) as bot:
        await bot.join("ann")
        await bot.service.send_message("sounding", "tavern", context={"at": Unknown(3)})
    async with running(tmp_path) as bot:
        assert bot.service.history("tavern", "ann")[-1].body.context == {"at": {"depth": 3}}
