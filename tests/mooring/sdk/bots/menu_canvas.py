"""A canvas with a picture beside the bot's own file, a menu for messages, and styles."""

from moobius import Moobius, MoobiusWand, types
from moobius.types import CanvasItem, Dialog, InputComponent, MenuItem, MenuItemClick, StyleItem

KINDS = [types.TEXT, types.IMAGE, types.AUDIO, types.FILE, types.CARD]


class MenuCanvasBot(Moobius):
    async def on_refresh(self, action):
        items = [CanvasItem(text="# Board", path="board.png"), CanvasItem(path="https://example.org/far.png"), CanvasItem("only text")]
        await self.send_canvas(items, action.channel_id, [action.sender])
        await self.send_style(StyleItem(widget=types.CANVAS, display="visible", expand=True), action.channel_id, [action.sender])
        menu = [MenuItem(menu_item_text=f"About {kind}", menu_item_id=f"about-{kind}", message_subtypes=[kind]) for kind in KINDS]
        menu.append(MenuItem("note", "Note", types.ALL, Dialog(components=[InputComponent("note", types.TEXT)])))
        await self.send_menu(menu, action.channel_id, [action.sender])

    async def on_menu_item_click(self, click: MenuItemClick):
        note = click.arguments[0].value if click.arguments else ""
        text = f"{click.menu_item_id} on {click.message_content.text!r} {note}".strip()
        await self.send_message(text, click.channel_id, click.sender, [click.sender])

    async def on_message_up(self, message):
        await self.send_message(message)


if __name__ == "__main__":
    MoobiusWand().run(MenuCanvasBot, config="config/config.json")
