// The panel beside the messages: the canvas, and the members with their bars.

import { $, avatar, el, media, meters, rich } from "./dom.js";

const known = new Map(); // member id -> the nodes that show the member
const pieces = []; // the nodes of the canvas, by place
let mine = new Map();

const isHere = (character) => character.character_context?.online !== false;

function memberNode() {
	const parts = { disc: el("span.disc"), who: el("div.who"), bars: el("div.bars"), meters: new Map() };
	return { ...parts, node: el("li.member", parts.disc, parts.who, parts.bars) };
}

/** Draw the members of a channel; `me` is marked, and its bars are shown above the messages. */
export function showMembers(characters, me) {
	const list = $("members");
	const sorted = [...characters.values()].sort((a, b) => isHere(b) - isHere(a) || a.name.localeCompare(b.name));
	const here = sorted.filter(isHere).length;
	$("count").textContent = sorted.length === here ? String(here) : `${here} of ${sorted.length} here`;
	for (const [id, shown] of known) {
		if (characters.has(id)) continue;
		shown.node.remove();
		known.delete(id);
	}
	sorted.forEach((character, at) => {
		const id = character.character_id;
		const facts = character.character_context || {};
		if (!known.has(id)) known.set(id, memberNode());
		const shown = known.get(id);
		const tags = [id === me && "you", facts.agent && "bot", facts.role !== "member" && facts.role, !isHere(character) && "away"].filter(Boolean);
		shown.who.replaceChildren(el("span.name", character.name), ...tags.map((tag) => el("span.tag", tag)));
		shown.disc.replaceChildren(avatar(id, character.name), el("span.presence"));
		shown.node.classList.toggle("away", !isHere(character));
		meters(shown.bars, shown.meters, facts.bars);
		// Only what is out of place moves: a node that is taken out and put back would lose its animation.
		if (list.children[at] !== shown.node) list.insertBefore(shown.node, list.children[at] || null);
	});
	meters($("mine"), mine, characters.get(me)?.character_context?.bars);
}

/** Forget what was drawn, before another channel is shown. */
export function clearPeople() {
	known.clear();
	pieces.length = 0;
	mine = new Map();
	for (const id of ["members", "canvas", "mine"]) $(id).replaceChildren();
}

/** Draw the canvas. */
export function showCanvas(items, visible) {
	$("canvas-part").hidden = !visible || items.length === 0;
	while (pieces.length > items.length) pieces.pop().node.remove();
	items.forEach((item, at) => {
		if (!pieces[at]) {
			const words = el("div.words"), bars = el("div");
			pieces[at] = { words, bars, node: el("div.piece", words, bars), meters: new Map() };
			$("canvas").append(pieces[at].node);
		}
		const piece = pieces[at];
		const said = JSON.stringify([item.text, item.path]);
		if (piece.said !== said) {
			piece.said = said;
			const words = el("div.words", item.text ? rich(String(item.text)) : "", media("img", item.path, { alt: item.text || "" }));
			piece.words.replaceWith(words);
			piece.words = words;
		}
		meters(piece.bars, piece.meters, item.bars);
	});
}
