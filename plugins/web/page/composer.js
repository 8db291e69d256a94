// The composer: typing, completion, hints, and what was typed before.

import { $, el } from "./dom.js";
import { keep, keptJson } from "./kept.js";

const MOST_NAMES = 8;
const REMEMBERED = 50;

const starts = (word, typed) => word.toLowerCase().startsWith(typed.toLowerCase());

/** The command that a line begins with (the longest wins), and which of its arguments it ends in. */
function hintFor(line, commands) {
	const words = line.slice(1).split(/\s+/);
	let command = null, length = 0;
	for (const each of commands) {
		for (const name of [each.name, ...each.aliases]) {
			const parts = name.split(" ");
			if (parts.length > length && parts.length < words.length && parts.every((part, at) => part === words[at].toLowerCase())) [command, length] = [each, parts.length];
		}
	}
	if (!command) return null;
	const at = Math.min(words.length - length - 1, command.arguments.length - 1);
	return { command, at, argument: command.arguments[at] };
}

/** What could stand at the end of `line`: `{from, items: [{text, note, insert, usage}], hint}`. */
export function complete(line, commands, names) {
	const word = /\S*$/.exec(line)[0];
	const from = line.length - word.length;
	const isCommand = /^\/(?!\/)/.test(line);
	const hint = isCommand ? hintFor(line, commands) : null;
	const offer = (texts) => ({ from, hint, items: texts.filter((text) => starts(text, word)).map((text) => ({ text, insert: `${text} ` })) });
	const mentions = (typed) => offer(names(typed, MOST_NAMES).map((name) => `@${name}`));
	if (word.startsWith("@")) return mentions(word.slice(1));
	if (!isCommand) return offer([]);
	const typed = line.slice(1).replace(/\s+/g, " ");
	const longer = commands.filter(({ name }) => starts(name, typed) && !(hint && name.length <= typed.length));
	if (hint && !longer.length) return hint.argument?.kind === "member" && !word ? mentions("") : offer(hint.argument?.choices || []);
	return { from: 0, hint, items: longer.map(({ name, summary, usage, arguments: { length } }) => ({ text: `/${name}`, note: summary, insert: `/${name}${length ? " " : ""}`, usage: usage.slice(name.length + 1) })) };
}

export class Composer {
	text = $("text");
	list = $("completion");
	hint = $("hint");
	commands = [];
	items = [];
	past = [keptJson("past")].flat().filter((text) => text && typeof text === "string"); // what was sent before, for the arrow up
	back = 0;

	constructor({ names, onSend, onDraft }) {
		Object.assign(this, { names, onSend, onDraft });
		this.back = this.past.length;
		this.text.oninput = () => { this.back = this.past.length; this.look(); onDraft(this.text.value); };
		this.text.onkeydown = (event) => { if (!event.isComposing && this.key(event)) event.preventDefault(); };
		this.text.onblur = () => this.closeList();
		this.text.onclick = () => this.look();
		this.text.addEventListener("try", ({ detail }) => { this.set(detail); this.text.focus(); });
		// The text keeps the focus, and a phone its keyboard.
		for (const each of [this.list, $("send")]) each.onpointerdown = (event) => event.preventDefault();
		$("composer").onsubmit = (event) => { event.preventDefault(); this.submit(); };
	}

	set(text) {
		this.back = this.past.length;
		this.show(text);
		this.onDraft(text);
	}

	show(text) {
		this.text.value = text;
		this.grow();
		this.look();
		this.closeList();
	}

	grow() {
		this.text.style.height = "auto";
		this.text.style.height = `${Math.min(this.text.scrollHeight, 180)}px`;
		$("send").disabled = !this.text.value.trim();
	}

	look() {
		this.grow();
		this.isLooking = true;
		const line = this.text.value.slice(0, this.text.selectionStart);
		const { from, items, hint } = complete(line, this.commands, this.names);
		this.from = from;
		this.items = items;
		if (this.items.length === 1 && this.items[0].insert.trimEnd() === line.slice(from)) this.items = [];
		this.at = this.items.length ? 0 : -1;
		this.moved = false;
		this.drawHint(hint);
		this.drawList();
	}

	drawHint(hint) {
		const key = hint ? `${hint.command.name} ${hint.at}` : "";
		if (this.hinted === key) return; // It would be read out again.
		this.hinted = key;
		if (!hint) { this.hint.replaceChildren(); return; }
		const { command, argument, at } = hint;
		const usage = command.arguments.map((each, place) => [" ", el(place === at ? "b" : "span", each.usage)]);
		this.hint.replaceChildren(el("code", `/${command.name}`, usage), el("span", argument ? argument.help || argument.expects : command.summary));
	}

	drawList() {
		this.list.hidden = this.items.length === 0;
		this.list.replaceChildren(...this.items.map(({ text, note, usage }, at) => {
			const onclick = () => { this.at = at; this.accept(); };
			const what = el("span", el("b", text), el("span.muted", usage));
			return el("li", { id: `completion-${at}`, role: "option", "aria-selected": String(at === this.at), onclick }, what, note && el("span.note", note));
		}));
		if (this.at < 0) { this.text.removeAttribute("aria-activedescendant"); return; }
		this.text.setAttribute("aria-activedescendant", `completion-${this.at}`);
		this.list.children[this.at].scrollIntoView({ block: "nearest" });
	}

	refresh() {
		if (this.isLooking && !this.moved) this.look();
	}

	closeList() {
		this.isLooking = false;
		this.items = [];
		this.at = -1;
		this.drawList();
	}

	accept() {
		const item = this.items[this.at];
		if (!item) return;
		const cursor = this.text.selectionStart;
		const before = this.text.value.slice(0, this.from) + item.insert;
		this.text.value = before + this.text.value.slice(cursor).trimStart();
		this.text.setSelectionRange(before.length, before.length);
		this.look();
		this.onDraft(this.text.value);
	}

	key({ key, shiftKey }) {
		const { text, items, past } = this;
		const step = { ArrowDown: 1, ArrowUp: -1 }[key];
		if (items.length) {
			if (step) {
				this.moved = true;
				this.at = (this.at + step + items.length) % items.length;
				this.drawList();
				return true;
			}
			if (key === "Tab" && !shiftKey) { this.accept(); return true; }
			if (key === "Escape") { this.closeList(); return true; }
		} else if (step && (step < 0 ? text.selectionStart === 0 && this.back > 0 : text.selectionEnd === text.value.length && this.back < past.length)) {
			this.recall(this.back + step);
			return true;
		}
		if (key !== "Enter" || shiftKey) return false;
		// Enter takes what was chosen on purpose, or finishes a name; else it sends.
		if (items.length && (this.moved || (this.from === 0 ? !this.isCommand() : this.isHalfName()))) this.accept();
		else this.submit();
		return true;
	}

	isCommand() {
		const typed = this.text.value.trim().slice(1).toLowerCase();
		return this.commands.some((command) => command.name === typed || command.aliases?.includes(typed));
	}

	isHalfName() {
		const word = this.text.value.slice(this.from, this.text.selectionStart).toLowerCase();
		return word.startsWith("@") && this.items.every(({ text }) => text.toLowerCase() !== word);
	}

	/** Show what was sent before; what was being typed comes back after the last of it. */
	recall(at) {
		if (this.back === this.past.length) this.typed = this.text.value;
		this.back = at;
		this.show(at < this.past.length ? this.past[at] : this.typed);
		const cursor = at < this.past.length ? 0 : this.text.value.length; // At the start, the next arrow up goes on.
		this.text.setSelectionRange(cursor, cursor);
	}

	submit() {
		const text = this.text.value.trim();
		if (!text) return;
		if (this.past.at(-1) !== text) this.past.push(text);
		this.past = this.past.slice(-REMEMBERED);
		this.back = this.past.length;
		keep("past", JSON.stringify(this.past));
		this.onSend(text);
		this.set("");
	}
}
