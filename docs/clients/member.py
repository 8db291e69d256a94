"""Say one line in a channel and print the answers: member.py URL NAME CHANNEL TEXT"""

import asyncio
import json
import sys
import uuid

from websockets.asyncio.client import connect


async def main(url: str, name: str, channel: str, text: str) -> None:
    async with connect(url) as socket:
        async def ask(kind: str, **body: object) -> None:
            request_id = str(uuid.uuid4())
            await socket.send(json.dumps({"type": kind, "request_id": request_id, "body": body}))
            async for data in socket:
                frame = json.loads(data)
                if frame["type"] == "message_down":
                    sys.stdout.write(f"{frame['body'].get('sender_name') or 'service'} | {frame['body']['content']['text']}\n")
                elif frame.get("request_id") == request_id and frame["type"] != "history":
                    if frame["type"] == "error" or not frame["body"].get("ok", True):
                        raise SystemExit(frame["body"]["message"])
                    return

        await ask("hello", name=name)  # keep the token in the answer to come back as the same person
        await ask("join", channel_id=channel)
        await ask("message_up", channel_id=channel, content={"text": text})


asyncio.run(main(*sys.argv[1:]))
