// The panel beside the messages: the canvas, and the members with their bars.

import { $, avatar, el, isOurs, meters, rich } from "./dom.js";

const known = new Map(); // member id -> the nodes that show the member
const pieces = []; // the nodes of the canvas, by place
let mine = new Map();

function memberNode(id) {
  const name = el("span", { className: "name" });
  const tags = el("span", { className: "tags" });
  const bars = el("div", { className: "bars" });
  const disc = el("span", { className: "disc" });
  const node = el("li", { className: "member" }, disc, el("div", { className: "who" }, name, tags), bars);
  return { id, node, name, tags, bars, disc, meters: new Map(), label: "" };
}

function order(a, b) {
  const online = (each) => (each.character_context?.online === false ? 1 : 0);
  return online(a) - online(b) || a.name.localeCompare(b.name);
}

/** Draw the members of a channel; `me` is marked, and its bars are shown above the messages on a phone. */
export function showMembers(characters, me) {
  const list = $("members");
  const sorted = [...characters.values()].sort(order);
  const online = sorted.filter((each) => each.character_context?.online !== false).length;
  $("count").textContent = sorted.length === online ? `${online}` : `${online} of ${sorted.length} here`;
  const nodes = sorted.map((character) => {
    const id = character.character_id;
    const facts = character.character_context || {};
    if (!known.has(id)) known.set(id, memberNode(id));
    const shown = known.get(id);
    if (shown.label !== character.name) {
      shown.label = character.name;
      shown.name.textContent = character.name;
      shown.disc.replaceChildren(avatar(id, character.name), el("span", { className: "presence" }));
    }
    const tags = [];
    if (id === me) tags.push("you");
    if (facts.agent) tags.push("bot");
    if (facts.role && facts.role !== "member") tags.push(facts.role);
    if (facts.online === false) tags.push("away");
    shown.tags.replaceChildren(...tags.map((tag) => el("span", { className: "tag" }, tag)));
    shown.node.classList.toggle("away", facts.online === false);
    meters(shown.bars, shown.meters, facts.bars);
    return shown.node;
  });
  for (const [id, shown] of known) if (!characters.has(id)) { shown.node.remove(); known.delete(id); }
  // Only nodes that are out of place move: a node that is taken out and put back would lose its animation.
  nodes.forEach((node, index) => { if (list.children[index] !== node) list.insertBefore(node, list.children[index] || null); });
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
  const canvas = $("canvas");
  while (pieces.length > items.length) pieces.pop().node.remove();
  items.forEach((item, index) => {
    if (!pieces[index]) {
      const text = el("div", { className: "words" });
      const bars = el("div", { className: "bars" });
      pieces[index] = { node: el("div", { className: "piece" }, text, bars), text, bars, meters: new Map(), said: null };
      canvas.append(pieces[index].node);
    }
    const piece = pieces[index];
    const said = JSON.stringify([item.text, item.path]);
    if (piece.said !== said) {
      piece.said = said;
      piece.text.replaceChildren(...(item.text ? rich(String(item.text)) : []),
        ...(item.path && isOurs(item.path) ? [el("img", { src: item.path, alt: item.text || "" })] : []));
    }
    meters(piece.bars, piece.meters, item.bars);
  });
}
