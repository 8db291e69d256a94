// The panel beside the messages: the canvas, and the members with their bars.

import { $, avatar, el, media, meters, words } from "./dom.js";

const PAGE = 100; // so many members are drawn at first, and more on demand

const { compare } = new Intl.Collator();
const facts = (character) => character.character_context || {};
const isHere = (character) => facts(character).online !== false;

/** Bars of the channel come first, then who is here, then the others; each by name. */
const rank = (character) => (facts(character).channel ? 0 : isHere(character) ? 1 : 2);
const inOrder = (a, b) => rank(a) - rank(b) || compare(a.name, b.name);

/** The characters of one channel that the page knows of: in a crowd not all of them. */
export class Characters {
	all = new Map();
	order = null; // all of them as they are shown, once somebody has asked
	total = 0; // how many the whole list has, entries of the channel itself apart
	online = null; // how many of these are here; null if only a look at the whole list tells
	shown = PAGE;
	following = ""; // asks for the next page of the whole list
	isReading = false; // whether a page is on its way
	isRead = false; // whether the last page came
	asked = new Map(); // beginning of a name -> whether all such names are known by now

	constructor(me) { this.me = me; }

	get sorted() { return (this.order ??= [...this.all.values()].sort(inOrder)); }

	get ofChannel() {
		const first = this.sorted.findIndex((each) => !facts(each).channel);
		return first < 0 ? this.sorted.length : first;
	}

	get known() { return this.sorted.length - this.ofChannel; }
	get isWhole() { return this.isRead || this.known >= this.total; }

	get hidden() { return (this.isWhole ? this.sorted.length : this.total + this.ofChannel) - Math.min(this.shown, this.sorted.length); }

	reset(items) {
		this.own = this.all.get(this.me.id);
		this.all = new Map(items.map((each) => [each.character_id, each]));
		this.order = null;
		this.asked.clear();
		Object.assign(this, { total: this.known, online: null, shown: PAGE, following: "", isReading: false, isRead: false });
	}

	/** The length of the list; true if whoever looks is known from an older list alone. */
	count({ total, online }) {
		Object.assign(this, { total, online });
		if (!this.own || this.isWhole || this.all.has(this.me.id)) return false;
		this.change({ changed: [this.own] });
		return true;
	}

	change({ changed, removed = [] }) {
		for (const id of removed) this.all.delete(id);
		for (const character of changed) this.all.set(character.character_id, character);
		this.order = null;
	}

	/** A part of the whole list: names that begin in some way, or the next page of all. */
	read({ items, following }, beginning) {
		this.change({ changed: items });
		if (beginning !== undefined) this.asked.set(beginning, !following);
		else Object.assign(this, { following, isRead: !following, isReading: false });
	}

	showMore() { this.shown += PAGE; }

	mustRead() {
		if (this.isWhole || this.isReading || this.shown <= this.sorted.length) return false;
		return (this.isReading = true);
	}

	names(typed, most) {
		const found = [];
		const beginning = typed.toLowerCase();
		for (const { name, character_context } of this.sorted) {
			if (!character_context?.channel && name.toLowerCase().startsWith(beginning)) found.push(name);
			if (found.length === most) break;
		}
		return found;
	}

	mustAsk(typed) {
		const beginning = typed.toLowerCase();
		if (this.isWhole || this.asked.has(beginning)) return false;
		for (let end = 0; end < beginning.length; end++) if (this.asked.get(beginning.slice(0, end))) return false;
		this.asked.set(beginning, false);
		return true;
	}
}

const known = new Map(); // character id -> the nodes that show the character
const pieces = []; // the nodes of the canvas, by place
let mine = new Map();

function memberNode(character) {
	const parts = { disc: el("span.disc"), who: el("div.who"), bars: el("div.bars"), meters: new Map() };
	return { ...parts, node: facts(character).channel ? el("li.member.of-channel", parts.bars) : el("li.member", parts.disc, parts.who, parts.bars) };
}

function drawMember(character, me) {
	const { character_id: id, name } = character;
	if (!known.has(id)) known.set(id, memberNode(character));
	const shown = known.get(id);
	if (shown.character !== character) {
		const { agent, role, bars } = facts(character);
		const tags = [id === me.id && "you", agent && "bot", role !== "member" && role, !isHere(character) && "away"].filter(Boolean);
		shown.who.replaceChildren(el("bdi.name", name), ...tags.map((tag) => el("span.tag", tag)));
		shown.disc.replaceChildren(avatar(id, name), el("span.presence"));
		shown.node.classList.toggle("away", !isHere(character));
		meters(shown.bars, shown.meters, bars);
		shown.character = character;
	}
	return shown.node;
}

/** Draw the members; on narrow screens those who look see their own bars above the messages, too. */
export function showMembers(characters) {
	const list = $("members");
	const { me, sorted, shown, hidden, isWhole, total, online } = characters;
	const drawn = sorted.slice(0, shown);
	const ids = new Set(drawn.map((each) => each.character_id));
	for (const [id, { node }] of known) {
		if (ids.has(id)) continue;
		node.remove();
		known.delete(id);
	}
	drawn.forEach((character, at) => {
		const node = drawMember(character, me);
		// Only what is out of place moves: others would lose their animation.
		if (list.children[at] !== node) list.insertBefore(node, list.children[at] || null);
	});
	const people = isWhole ? sorted.filter((each) => !facts(each).channel) : [];
	const all = isWhole ? people.length : total;
	const here = isWhole ? people.filter(isHere).length : online;
	$("count").textContent = here === null || here === all ? all.toLocaleString() : `${here.toLocaleString()} of ${all.toLocaleString()} here`;
	$("more-members").hidden = hidden === 0;
	$("more-members").textContent = `Show more (${hidden.toLocaleString()})`;
	meters($("mine"), mine, characters.all.get(me.id)?.character_context?.bars);
}

export function clearPeople() {
	known.clear();
	pieces.length = 0;
	mine = new Map();
	for (const id of ["members", "canvas", "mine"]) $(id).replaceChildren();
}

export function showCanvas(items, display) {
	$("canvas-part").hidden = display === "invisible" || items.length === 0;
	$("canvas-part").classList.toggle("highlight", display === "highlight");
	while (pieces.length > items.length) pieces.pop().node.remove();
	items.forEach((item, at) => {
		if (!pieces[at]) {
			const said = el("div.words"), bars = el("div");
			pieces[at] = { said, bars, node: el("div.piece", said, bars), meters: new Map() };
			$("canvas").append(pieces[at].node);
		}
		const piece = pieces[at];
		const shown = JSON.stringify([item.text, item.path]);
		if (piece.shown !== shown) {
			piece.shown = shown;
			piece.said.replaceChildren(...(item.text ? words(String(item.text), item.formatted) : []), media("img", item.path, { alt: item.text || "" }));
		}
		meters(piece.bars, piece.meters, item.bars);
	});
}
