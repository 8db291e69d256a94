// Dialogs that buttons and menu items open, and the menu of a message.

import { $, button, el } from "./dom.js";

function field({ label, type, required, placeholder, choices }, index) {
	const id = `field-${index}`;
	const common = { id, required: Boolean(required), placeholder: placeholder || "" };
	let input;
	if (type === "dropdown") input = el("select", { id, required: common.required }, (choices || []).map((choice) => el("option", choice)));
	else if (type === "textbox") input = el("textarea", common, { rows: 4 });
	else input = el("input", common, { type: ["number", "password"].includes(type) ? type : "text", autocomplete: "off", step: "any" });
	return { label, input, node: el("div.field", el("label", { for: id }, label + (required ? " *" : "")), input) };
}

/** Show a dialog; `send(arguments, bottomButtonId)` is called if it is submitted. `text` is what is to be edited in it. */
export function openDialog({ title, components, bottom_buttons }, send, text) {
	const dialog = $("dialog");
	const fields = (components || []).map(field);
	if (text && fields[0]) fields[0].input.value = text;
	const foot = bottom_buttons?.length ? bottom_buttons : [{ text: "Cancel", submit: false }, { text: "OK", submit: true }];
	const onsubmit = ({ submitter }) => send(fields.map(({ label, input }) => ({ label, value: input.value })), submitter?.value);
	const buttons = foot.map(({ id, text: words, submit }) => (submit ? el("button.primary", { value: id || "" }, words) : button(".plain", words, () => dialog.close())));
	dialog.replaceChildren(el("form", { method: "dialog", onsubmit }, el("h2", { id: "dialog-title" }, title || "Dialog"), fields.map(({ node }) => node), el("div.dialog-foot", buttons)));
	dialog.onclose = () => { if (document.activeElement === document.body) $("text").focus(); }; // What opened it is gone.
	dialog.showModal();
}

/** Show a menu at an element; entries are `{text, run}`. Arrow keys move, Escape closes. */
export function openMenu(anchor, entries) {
	const menu = $("menu");
	const close = () => { menu.hidePopover(); (anchor.isConnected ? anchor : $("text")).focus(); };
	const items = entries.map(({ text, run }) => button("", text, () => { close(); run(); }, { role: "menuitem", tabIndex: -1 }));
	menu.replaceChildren(...items);
	menu.onkeydown = (event) => {
		const step = { ArrowDown: 1, ArrowUp: items.length - 1 }[event.key];
		if (step) items[(items.indexOf(document.activeElement) + step) % items.length].focus();
		else if (["Escape", "Tab"].includes(event.key)) close();
		else return;
		event.preventDefault();
	};
	menu.onbeforetoggle = ({ newState }) => anchor.setAttribute("aria-expanded", String(newState === "open"));
	menu.showPopover();
	const box = anchor.getBoundingClientRect();
	menu.style.top = `${Math.max(8, Math.min(box.bottom + 4, innerHeight - menu.offsetHeight - 8))}px`;
	menu.style.left = `${Math.max(8, Math.min(box.right - menu.offsetWidth, innerWidth - menu.offsetWidth - 8))}px`;
	items[0]?.focus();
}
