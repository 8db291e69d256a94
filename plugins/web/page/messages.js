// The stream of messages: grouped by day and by sender, updated in place.

import { $, anchor, avatar, button, el, icon, media, meter, words } from "./dom.js";

const TOGETHER = 5 * 60_000; // Messages of one sender that come closer than this stand in one group.
const time = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const date = new Intl.DateTimeFormat(undefined, { dateStyle: "full" });
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });
const bytes = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });

const dayOf = ({ timestamp }) => new Date(timestamp).toDateString();

function dayName(message) {
	const now = new Date();
	const back = [0, 1].find((days) => dayOf(message) === new Date(now.getFullYear(), now.getMonth(), now.getDate() - days).toDateString());
	return ["Today", "Yesterday"][back] || date.format(new Date(message.timestamp));
}

function table({ columns = [], rows = [] }, caption) {
	const isNumeric = (at) => rows.length > 0 && rows.every((row) => /^[-−]?[\d.,]+( ?[kMGT]?i?B| ?%)?$/.test(row[at]));
	const classes = columns.map((_, at) => ({ className: isNumeric(at) ? "numeric" : "" }));
	const heads = columns.map((column, at) => el("th", { scope: "col" }, classes[at], String(column)));
	const line = (row) => el("tr", row.map((value, at) => el("td", classes[at], String(value ?? "–"))));
	return el("div.table", { tabIndex: 0, role: "group", "aria-label": caption || "Table" }, el("table", el("thead", el("tr", heads)), el("tbody", rows.map(line))));
}

function progress({ done = 0, total = 0, label = "" }) {
	if (!(total > 0)) return el("p", `${label}: ${done}`);
	const { node, update } = meter("progressbar");
	update({ label, value: done, maximum: total });
	return node;
}

/** A picture has its room before it is there. Of an extreme shape it shows a part: all of it would be a sliver. */
function shape(image, { width, height }) {
	const scale = height > 2.5 * width || width > 4 * height ? 1 : Math.min(1, 420 / width, 320 / height);
	image.width = Math.min(width * scale, 420);
	image.style.aspectRatio = image.width / Math.min(height * scale, width > 4 * height ? 160 : 320);
}

function picture(path, alt, size) {
	const image = media("img", path, { alt });
	if (image && size) shape(image, size);
	else if (image) image.onload = () => shape(image, { width: image.naturalWidth, height: image.naturalHeight });
	return image && anchor(".picture", path, { "aria-label": alt ? "" : "Picture" }, image);
}

/** A text; of a long one first its beginning. */
function said(message, me) {
	const { content: { text }, formatted, is_long: isLong, sender } = message;
	const box = el(sender ? "div.said" : "div", words(text || "", formatted, me));
	if (!isLong) return box;
	const count = text.split("\n").length;
	const all = count > 20 ? `Show all ${count.toLocaleString()} lines` : "Show all of it";
	const toggle = button(".link", "", () => { message.isUnfolded = !message.isUnfolded; show(); });
	const show = () => {
		box.replaceChildren(...words(text, !message.isUnfolded && formatted, me));
		toggle.textContent = message.isUnfolded ? "Show less" : all;
		toggle.setAttribute("aria-expanded", Boolean(message.isUnfolded));
	};
	show();
	return [box, toggle];
}

function content(message, me) {
	const { subtype, content: given, formatted } = message;
	const context = message.context || {};
	const { path, link, filename, title, size } = given;
	const text = given.text || "";
	if (context.deleted) return el("p.muted", "deleted");
	if (subtype === "card") return el("div.card", picture(path, "", context.picture), title && el("strong", title), words(text, formatted, me), link && anchor(".plain", link, given.button || "Open"));
	if (["image", "audio", "file"].includes(subtype)) {
		const name = text || filename || subtype;
		const shown = subtype === "image" ? picture(path, name, context.picture) : subtype === "audio" && media("audio", path, { controls: true, preload: "none", "aria-label": name });
		return [text && el("p", text), shown || anchor(".file", path || link, icon("file"), filename || title || path || link || "File", size ? el("span.muted", `${bytes.format(size)}B`) : "")];
	}
	if (context.progress) return progress({ label: text, ...context.progress });
	if (context.table) return [title && el("p", el("strong", title)), table(context.table, title)];
	return said(message, me);
}

const CONTROLS = "a, button, input, summary, audio, .table, pre";

/** Make a message the tab stop of the log, with what can be used in it, or let it be one no more. */
function stop(node, isStop) {
	for (const each of [node, ...node.querySelectorAll(CONTROLS)]) each.tabIndex = isStop ? 0 : -1;
}

/** One message as an element. */
function draw(given, view) {
	const message = { ...given, context: given.context || {} };
	const { error, notice, refused, command = refused } = message.context;
	const byPerson = Boolean(message.sender);
	const name = view.nameOf(message);
	const when = new Date(message.timestamp);
	const way = message.pending && !message.failed && el("span.tag.way", view.wayWords());
	const disc = byPerson ? avatar(message.sender, name) : el("span.avatar.of-service", { "aria-hidden": "true" }, icon(error ? "alert" : "mark"));
	const more = () => button(".icon.more", icon("more"), (event) => view.openMenu(message, event.currentTarget),
		{ "aria-label": `Actions for the message of ${name}`, "aria-haspopup": "menu", "aria-expanded": "false" });
	const retry = () => el("p.problem", { role: "alert" }, message.failed, " ", button(".link", "Edit and send again", () => view.again(message)), " ", button(".link", "Discard", () => view.discard(message)));
	const classes = ["article.message", error && "error", notice && "notice", message.pending && "pending"].filter(Boolean).join(".");
	const node = el(classes, { "aria-live": (message.pending || notice) && "off", "aria-label": `${name}, ${time.format(when)}`, title: error || notice ? exact.format(when) : "" }, disc, el("div.content",
		el("div.head", el("bdi.name", name), el("time", { dateTime: when.toISOString(), title: exact.format(when) }, time.format(when)), message.private && el("span.tag", "only you"), message.context.edited && el("span.tag", "edited")),
		command && el("p.answers", "↳ ", el("bdi", message.asked_by), " ", el("code", { dir: "auto" }, String(command))),
		content(given, view.myName), message.failed && retry()), way, view.menuFor(message) && more());
	node.message = given;
	stop(node, false);
	return node;
}

const VERBS = { join: "joined", leave: "left" };

function moved({ context, content: { text } }) {
	const verb = VERBS[context?.notice];
	return verb && text?.endsWith(` ${verb}`) ? { verb, name: text.slice(0, -verb.length - 1) } : null;
}

const listed = (names) => (names.length > 3 ? String(names.length) : names.join(", ").replace(/, ([^,]*)$/, " and $1"));

/** Fold comings and goings into the newest line: "12 joined, ann left". */
function fold(node, above) {
	const own = moved(node.message);
	const run = own ? { ...above?.run } : null;
	node.run = run;
	node.classList.remove("merged");
	if (!own) return;
	run[own.verb] = [...new Set([...(run[own.verb] || []), own.name])];
	if (Object.values(run).flat().length < 3) return; // Few are named one by one.
	const line = node.querySelector(".content p");
	line.textContent = Object.entries(run).map(([verb, names]) => `${listed(names)} ${verb}`).join(", ");
	for (let each = above; each?.run && !each.matches(".merged"); each = each.previousElementSibling) each.classList.add("merged");
}

function following(node) {
	let next = node?.nextElementSibling;
	while (next && !next.message) next = next.nextElementSibling;
	return next;
}

/** The log of one channel. Only what changes is touched: nothing jumps, and screen readers hear each message once. */
export class Stream {
	log = $("log");
	nodes = new Map(); // key of a message -> its element

	constructor(view) {
		this.view = view;
		this.log.addEventListener("scroll", () => {
			this.atEnd = this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < 60;
			if (this.atEnd) this.unseen = 0;
			this.mark();
			if (this.log.scrollTop < 200) view.wantOlder();
		}, { passive: true });
		this.log.addEventListener("focusin", ({ target }) => this.point(target.closest("article")));
		this.log.onkeydown = (event) => this.key(event);
		$("to-end").onclick = () => this.toEnd();
		const stay = () => this.atEnd && this.toEnd();
		new ResizeObserver(stay).observe(this.log);
		this.log.addEventListener("load", stay, true); // Late pictures push up what is above them.
	}

	point(node) {
		if (!node || node === this.pointed) return;
		if (this.pointed) stop(this.pointed, false);
		stop(this.pointed = node, true);
	}

	/** Arrows lead from message to message, and to the side to what can be used in one. */
	key(event) {
		const { key, target } = event;
		const node = target.closest("article") || this.pointed;
		const step = { ArrowUp: -1, ArrowDown: 1, ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[key];
		if (!node || !step || target.matches(".table, pre, audio, input")) return;
		const isAside = /Left|Right/.test(key);
		const all = isAside ? [node, ...node.querySelectorAll(CONTROLS)] : [...this.log.querySelectorAll("article:not(.merged)")];
		all[Math.max(0, Math.min(all.length - 1, all.indexOf(isAside ? target : node) + step))].focus();
		event.preventDefault();
	}

	/** Change something. Who had the focus in a message keeps it: there, in what takes its place, or in the newest. */
	holding(change) {
		const held = document.activeElement;
		const node = this.log.contains(held) && held.closest("article");
		const at = node && [...node.querySelectorAll(CONTROLS)].indexOf(held);
		change();
		if (!this.pointed?.isConnected || !node) this.point(this.log.querySelector("article:last-of-type"));
		if (!node || held.isConnected) return;
		const now = this.nodes.get(node.message.key) || this.pointed;
		(now?.querySelectorAll(CONTROLS)[at] || now || $("text")).focus({ preventScroll: true });
	}

	quietly(change) {
		this.log.setAttribute("aria-busy", "true");
		this.holding(change);
		requestAnimationFrame(() => this.log.removeAttribute("aria-busy"));
	}

	reset(messages, place = null) {
		this.quietly(() => {
			this.nodes.clear();
			this.log.replaceChildren();
			for (const message of messages) this.add(message);
			const node = place && this.nodes.get(place.key);
			this.changed(!node);
			if (node) {
				this.atEnd = false;
				this.log.scrollTop = node.offsetTop - this.log.offsetTop - place.above;
				this.mark();
			}
		});
	}

	/** Where somebody reads: a message, and how far from the top; null at the end. */
	place() {
		if (this.atEnd) return null;
		const top = this.log.scrollTop + this.log.offsetTop;
		for (const [key, node] of this.nodes) if (node.offsetTop + node.offsetHeight > top) return { key, above: node.offsetTop - top };
		return null;
	}

	/** Put older messages before the rest; what is on the screen stays where it is. */
	prepend(messages) {
		this.quietly(() => {
			const height = this.log.scrollHeight - this.log.scrollTop;
			const before = this.log.firstElementChild;
			const nodes = new Map();
			for (const message of messages) {
				const node = draw(message, this.view);
				this.log.insertBefore(node, before);
				nodes.set(message.key, node);
			}
			for (const node of this.log.querySelectorAll("article")) this.join(node);
			this.nodes = new Map([...nodes, ...this.nodes]);
			this.log.scrollTop = this.log.scrollHeight - height;
		});
	}

	trim(most) {
		const old = [...this.nodes].filter(([, node]) => !node.matches(".pending")).slice(0, -most);
		this.holding(() => {
			for (const [key, node] of old) {
				node.remove();
				this.nodes.delete(key);
			}
		});
		while (this.log.firstElementChild.matches(".day")) this.log.firstElementChild.remove();
		this.join(this.log.firstElementChild);
		this.toEnd();
	}

	put(message) {
		const old = this.nodes.get(message.key);
		this.holding(() => (old ? this.replace(old, message) : this.add(message)));
		if (!old && !this.atEnd && !message.context?.notice) this.unseen += 1;
		this.changed(this.atEnd || message.pending);
	}

	remove(key) {
		const node = this.nodes.get(key);
		const next = following(node);
		this.nodes.delete(key);
		this.holding(() => node?.remove());
		if (next) this.join(next);
		else while (this.log.lastElementChild?.matches(".day")) this.log.lastElementChild.remove();
		this.changed(this.atEnd);
	}

	refresh() {
		this.quietly(() => { for (const node of [...this.nodes.values()]) this.replace(node, node.message); });
	}

	replace(old, message) {
		const node = draw(message, this.view);
		node.setAttribute("aria-live", "off"); // It was heard before.
		node.classList.toggle("first", old.classList.contains("first"));
		old.replaceWith(node);
		if (old.run) this.join(node);
		node.classList.toggle("merged", old.classList.contains("merged"));
		this.nodes.set(message.key, node);
	}

	add(message) {
		const node = draw(message, this.view);
		const waiting = message.pending ? null : this.log.querySelector(".pending");
		this.log.insertBefore(node, waiting);
		this.nodes.set(message.key, node);
		this.join(node);
		this.join(waiting);
	}

	join(node) {
		if (!node) return;
		while (node.previousElementSibling?.matches(".day")) node.previousElementSibling.remove();
		const { message } = node;
		const above = node.previousElementSibling?.message;
		const isNewDay = !above || dayOf(above) !== dayOf(message);
		const isUnread = ({ number } = {}) => this.view.line && number > this.view.line;
		const words = [isNewDay && dayName(message), isUnread(message) && !isUnread(above) && "New"].filter(Boolean).join(" · ");
		if (words) node.before(el("div.day", { role: "separator", "aria-label": words }, el("span", words)));
		fold(node, words ? null : node.previousElementSibling);
		const kind = ({ sender, asked_by: asker, context, private: isPrivate }) => `${sender} ${asker} ${context?.command || context?.refused} ${context?.error} ${context?.notice} ${isPrivate}`;
		node.classList.toggle("first", words || kind(above) !== kind(message) || message.timestamp - above.timestamp > TOGETHER);
	}

	changed(toEnd) {
		const note = this.log.querySelector(".empty");
		if (this.nodes.size) note?.remove();
		else if (!note) this.log.append(el("p.empty", this.view.isLoading() ? "Loading the messages…" : "Nothing was said here yet. Say hello, or type / for commands."));
		if (toEnd) this.toEnd();
		else this.mark();
	}

	toEnd() {
		this.log.scrollTop = this.log.scrollHeight;
		this.atEnd = true;
		this.unseen = 0;
		this.mark();
	}

	mark() {
		$("to-end").hidden = this.atEnd;
		$("to-end").lastElementChild.textContent = this.unseen ? `${this.unseen} new` : "Newest";
	}
}
