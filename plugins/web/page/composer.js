// The composer: typing, completion from the service's own command table, hints, and what was typed before.

import { $, el } from "./dom.js";

const MOST = 8;
const REMEMBERED = 50;

const starts = (word, typed) => word.toLowerCase().startsWith(typed.toLowerCase());

/** The command that a line begins with, with the number of words of its name; the longest name wins. */
function commandOf(line, commands) {
  const words = line.slice(1).split(/\s+/);
  let best = null;
  for (const command of commands) {
    for (const name of [command.name, ...(command.aliases || [])]) {
      const parts = name.split(" ");
      if (parts.length < words.length && parts.every((part, at) => part === words[at].toLowerCase()) && (!best || parts.length > best.length)) best = { command, length: parts.length };
    }
  }
  return best && { ...best, words };
}

/** What could stand at the end of `line`: `{from, items: [{text, note, insert}], hint}`. */
export function complete(line, commands, names) {
  const word = /\S*$/.exec(line)[0];
  const from = line.length - word.length;
  if (word.startsWith("@")) return { from, items: names.filter((name) => starts(name, word.slice(1))).map((name) => ({ text: `@${name}`, note: "", insert: `@${name} ` })), hint: hintFor(line, commands) };
  if (!line.startsWith("/") || line.startsWith("//")) return { from, items: [], hint: null };
  const hint = hintFor(line, commands);
  if (hint && !hasLonger(line, commands)) {
    const { argument } = hint;
    const wanted = argument?.kind === "member" ? names.map((name) => `@${name}`) : argument?.choices || [];
    return { from, items: wanted.filter((each) => starts(each, word)).map((text) => ({ text, note: "", insert: `${text} ` })), hint };
  }
  const typed = line.slice(1).replace(/\s+/g, " ");
  const items = commands.filter((command) => starts(command.name, typed)).map((command) => ({
    text: `/${command.name}`, note: command.summary, insert: `/${command.name}${command.arguments.length ? " " : ""}`, usage: command.arguments }));
  return { from: 0, items, hint };
}

function hasLonger(line, commands) {
  const typed = line.slice(1).replace(/\s+/g, " ").toLowerCase();
  return commands.some((command) => command.name.startsWith(typed) && command.name.length > typed.trimEnd().length);
}

function hintFor(line, commands) {
  if (!line.startsWith("/") || line.startsWith("//")) return null;
  const found = commandOf(line, commands);
  if (!found) return null;
  const { command, length, words } = found;
  const at = Math.min(words.length - length - 1, command.arguments.length - 1);
  return { command, at, argument: command.arguments[at] };
}

export class Composer {
  /** `onSend(text)` is called with what was typed; `draft(text)` keeps what is not sent yet. */
  constructor({ onSend, onDraft }) {
    this.text = $("text");
    this.list = $("completion");
    this.hint = $("hint");
    this.commands = [];
    this.names = [];
    this.items = [];
    this.at = -1;
    this.moved = false;
    this.onSend = onSend;
    this.onDraft = onDraft;
    this.past = JSON.parse(localStorage.getItem("mooring.past") || "[]");
    this.back = this.past.length;
    this.text.addEventListener("input", () => { this.back = this.past.length; this.look(); onDraft(this.text.value); });
    this.text.addEventListener("keydown", (event) => this.key(event));
    this.text.addEventListener("blur", () => setTimeout(() => this.closeList(), 120));
    this.text.addEventListener("click", () => this.look());
    $("composer").addEventListener("submit", (event) => { event.preventDefault(); this.submit(); });
  }

  set(text) {
    this.text.value = text;
    this.grow();
    this.look();
    this.closeList();
    this.onDraft(text);
  }

  grow() {
    this.text.style.height = "auto";
    this.text.style.height = `${Math.min(this.text.scrollHeight, 180)}px`;
    $("send").disabled = !this.text.value.trim();
  }

  look() {
    this.grow();
    const line = this.text.value.slice(0, this.text.selectionStart);
    const { from, items, hint } = complete(line, this.commands, this.names);
    this.from = from;
    this.items = items.slice(0, MOST);
    // A line that is complete as it stands needs no list with itself in it.
    if (this.items.length === 1 && this.items[0].insert.trimEnd() === line.slice(from)) this.items = [];
    this.at = this.items.length ? 0 : -1;
    this.moved = false;
    this.drawHint(hint);
    this.drawList();
  }

  drawHint(hint) {
    const key = hint ? `${hint.command.name} ${hint.at}` : "";
    if (this.hinted === key) return;
    this.hinted = key;
    if (!hint) { this.hint.replaceChildren(); return; }
    const usage = hint.command.arguments.map((argument, at) => {
      const shown = argument.name + (argument.repeated || argument.rest ? "…" : "");
      return el(at === hint.at ? "b" : "span", {}, argument.required ? shown : `[${shown}]`);
    });
    const about = hint.argument ? hint.argument.help || hint.argument.expects || "" : hint.command.summary;
    this.hint.replaceChildren(el("code", {}, `/${hint.command.name} `, usage.flatMap((part) => [part, " "])), el("span", { className: "about" }, about));
  }

  drawList() {
    this.list.hidden = this.items.length === 0;
    this.list.replaceChildren(...this.items.map((item, at) => el("li", { id: `completion-${at}`, role: "option", "aria-selected": String(at === this.at), on: { pointerdown: (event) => { event.preventDefault(); this.at = at; this.accept(); } } },
      el("span", { className: "what" }, item.text, (item.usage || []).map((argument) => el("i", {}, argument.required ? ` ${argument.name}` : ` [${argument.name}]`))), item.note ? el("span", { className: "note" }, item.note) : null)));
    if (this.at >= 0) {
      this.text.setAttribute("aria-activedescendant", `completion-${this.at}`);
      this.list.children[this.at].scrollIntoView({ block: "nearest" });
    } else this.text.removeAttribute("aria-activedescendant");
  }

  closeList() {
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
    this.text.focus();
    this.look();
    this.onDraft(this.text.value);
  }

  key(event) {
    if (event.isComposing) return;
    const open = this.items.length > 0;
    if (open && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      event.preventDefault();
      this.moved = true;
      this.at = (this.at + (event.key === "ArrowDown" ? 1 : -1) + this.items.length) % this.items.length;
      this.drawList();
    } else if (open && event.key === "Tab" && !event.shiftKey) {
      event.preventDefault();
      this.accept();
    } else if (open && event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      this.closeList();
    } else if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      // Enter takes a suggestion that was chosen on purpose, or that finishes the command's name; else it sends.
      if (open && (this.moved || (this.from === 0 && !this.isCommand()))) this.accept();
      else this.submit();
    } else if (!open && event.key === "ArrowUp" && this.text.selectionStart === 0 && this.back > 0) {
      event.preventDefault();
      this.recall(this.back - 1);
    } else if (!open && event.key === "ArrowDown" && this.back < this.past.length && this.text.selectionEnd === this.text.value.length) {
      event.preventDefault();
      this.recall(this.back + 1);
    }
  }

  isCommand() {
    const typed = this.text.value.trim().slice(1).toLowerCase();
    return this.commands.some((command) => command.name === typed || command.aliases?.includes(typed));
  }

  recall(at) {
    this.back = at;
    this.set(this.past[at] || "");
    this.text.setSelectionRange(0, 0);
    if (at >= this.past.length) this.text.setSelectionRange(this.text.value.length, this.text.value.length);
  }

  submit() {
    const text = this.text.value.trim();
    if (!text) return;
    if (this.past.at(-1) !== text) this.past.push(text);
    this.past = this.past.slice(-REMEMBERED);
    this.back = this.past.length;
    localStorage.setItem("mooring.past", JSON.stringify(this.past));
    this.onSend(text);
    this.set("");
  }
}
