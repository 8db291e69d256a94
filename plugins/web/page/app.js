// The page: what it knows of its channels, and how frames change it.

import { Composer } from "./composer.js";
import { openDialog, openMenu } from "./dialog.js";
import { $, avatar, el } from "./dom.js";
import { Link } from "./link.js";
import { Stream } from "./messages.js";
import { clearPeople, showCanvas, showMembers } from "./people.js";

const TOKEN = "mooring.token";
const me = { id: "", name: "" };
const channels = new Map();
const joins = new Map(); // request id of a join -> channel id
let active = null;
let entering = null; // what the form gave, until the service has welcomed it

const newChannel = (entry) => ({
  ...entry, id: entry.channel_id, messages: [], last: 0, more: false, asking: false, unread: 0, characters: new Map(), names: new Map(),
  canvas: [], buttons: [], menu: [], style: new Map(), draft: localStorage.getItem(`mooring.draft.${entry.channel_id}`) || "", live: false,
});

// --- who ---------------------------------------------------------------------------------------------------------------

function hello() {
  if (entering) return entering;
  return { token: localStorage.getItem(TOKEN) || "" };
}

function showEnter(problem = "") {
  link.close();
  $("room").hidden = true;
  $("enter").hidden = false;
  $("enter-problem").textContent = problem;
  $("enter-name").value ||= localStorage.getItem("mooring.name") || "";
  $("enter-name").focus();
}

$("enter-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const token = $("enter-token").value.trim();
  const name = $("enter-name").value.trim();
  if (!token && !name) { $("enter-problem").textContent = "A name is missing."; return; }
  entering = token ? { token } : { name };
  $("enter-problem").textContent = "";
  link.open();
});

// --- frames ------------------------------------------------------------------------------------------------------------

const link = new Link({ hello, onFrame: take, onState: showState });

const takers = {
  welcome(body) {
    Object.assign(me, { id: body.member_id, name: body.name });
    localStorage.setItem(TOKEN, body.token);
    localStorage.setItem("mooring.name", body.name);
    entering = null;
    for (const entry of body.channels) {
      if (!channels.has(entry.channel_id)) channels.set(entry.channel_id, newChannel(entry));
      Object.assign(channels.get(entry.channel_id), { joined: entry.joined, open: entry.open, live: false });
    }
    composer.commands = body.commands;
    $("enter").hidden = true;
    $("room").hidden = false;
    $("me").replaceChildren(avatar(me.id, me.name), el("span", { className: "name" }, me.name));
    const wanted = channels.get(decodeURIComponent(location.hash.slice(1)));
    const first = (wanted?.open && wanted) || active || [...channels.values()].find((each) => each.joined) || [...channels.values()].find((each) => each.open);
    for (const channel of channels.values()) if (channel.joined || channel === first) join(channel);
    if (first && first !== active) select(first);
    drawChannels();
  },

  history(body, channel) {
    const messages = body.messages.map(prepared);
    for (const message of messages) if (message.sender_name) channel.names.set(message.sender, message.sender_name);
    if (body.mode === "older") {
      channel.asking = false;
      channel.messages.unshift(...messages);
      channel.more = body.more;
      if (channel === active) stream.prepend(messages);
      return;
    }
    if (body.mode === "latest") {
      channel.messages = messages;
      channel.more = body.more;
      channel.last = body.last;
      if (channel === active) redraw();
    } else {
      for (const message of messages) addMessage(channel, message);
      channel.last = Math.max(channel.last, body.last);
    }
  },

  message_down(body, channel) {
    if (body.sender_name) channel.names.set(body.sender, body.sender_name);
    addMessage(channel, prepared(body));
  },

  characters(body, channel) {
    channel.characters = new Map(body.items.map((each) => [each.character_id, each]));
    for (const each of body.items) channel.names.set(each.character_id, each.name);
    if (channel !== active) return;
    showMembers(channel.characters, me.id);
    composer.names = body.items.map((each) => each.name).sort();
  },

  canvas(body, channel) { channel.canvas = body.items; if (channel === active) drawCanvas(); },
  buttons(body, channel) { channel.buttons = body.items; if (channel === active) drawButtons(); },
  menu(body, channel) { channel.menu = body.items; if (channel === active) stream.refresh(); },
  style(body, channel) { for (const item of body.items) channel.style.set(item.button_id ? `button ${item.button_id}` : item.widget, item); if (channel === active) drawStyled(); },
  channel_info(body, channel) { Object.assign(channel, { channel_name: body.channel_name, channel_description: body.channel_description }); drawChannels(); },

  ack(body, _channel, sent, id) {
    if (joins.has(id)) {
      const channel = channels.get(joins.get(id));
      joins.delete(id);
      if (body.ok) { channel.live = channel.joined = true; link.channelReady(channel.id); drawChannels(); } else problem(channel, body.message);
    } else if (sent) settle(sent);
  },

  error(body, _channel, sent, id) {
    if (joins.has(id)) {
      const channel = channels.get(joins.get(id));
      if (body.retry) { setTimeout(() => join(channel), 1500); return; }
      joins.delete(id);
      channel.open = body.code !== "forbidden" && channel.open;
      problem(channel, body.message);
    } else if (["bad_token", "bad_name", "name_taken"].includes(body.code)) {
      if (body.code === "bad_token") localStorage.removeItem(TOKEN);
      entering = null;
      showEnter(body.message);
    } else if (body.code === "revoked") {
      localStorage.removeItem(TOKEN);
      showEnter(body.message);
    } else if (sent && !body.retry) settle(sent, body.message);
  },
};

function take(frame, sent) {
  takers[frame.type]?.(frame.body, channels.get(frame.body.channel_id), sent, frame.request_id);
}

function join(channel) {
  const body = { channel_id: channel.id };
  if (channel.last > 0) body.after = channel.last;
  joins.set(link.ask("join", body), channel.id);
}

// --- messages ----------------------------------------------------------------------------------------------------------

const prepared = (message) => ({ ...message, key: message.message_id });

function addMessage(channel, message) {
  if (message.number && message.number <= channel.last) return;
  channel.last = Math.max(channel.last, message.number);
  const old = channel.messages.findIndex((each) => each.key === message.key);
  if (old >= 0) channel.messages[old] = message;
  else channel.messages.push(message);
  if (channel === active) stream.put(message);
  if (old < 0 && message.sender !== me.id && (channel !== active || document.hidden)) {
    channel.unread += 1;
    drawChannels();
  }
}

/** A message that is on its way; it gives its place to the real one, which comes before the acknowledgement. */
const pendingOf = (frame) => ({ key: `pending ${frame.request_id}`, frame, pending: true, sender: me.id, timestamp: frame.made, subtype: "text", number: 0, content: frame.body.content });

function settle(frame, failure) {
  const channel = channels.get(frame.body.channel_id);
  if (frame.type !== "message_up" || !channel) { if (failure) problem(channel || active, failure); return; }
  const message = { ...pendingOf(frame), failed: failure };
  if (failure) channel.messages.push(message);
  if (channel !== active) return;
  if (failure) stream.put(message);
  else stream.remove(message.key);
}

function problem(channel, text) {
  addMessage(channel, { key: `problem ${Date.now()}`, number: 0, sender: "", subtype: "text", timestamp: Date.now(), content: { text }, context: { error: true }, private: true });
}

const stream = new Stream({
  get myName() { return me.name; },
  isService: (message) => message.sender !== me.id && !active?.names.has(message.sender),
  nameOf: (message) => (message.sender === me.id ? me.name : active?.names.get(message.sender)) || "Mooring",
  menuFor: (message) => !message.pending && active?.menu.some((item) => fits(item, message)),
  openMenu: (message, anchor) => openMenu(anchor, active.menu.filter((item) => fits(item, message)).map((item) => ({ text: item.menu_item_text, run: () => useMenu(item, message) }))),
  again: (message) => { composer.set(message.content.text); discard(message); $("text").focus(); },
  discard: (message) => discard(message),
  wantOlder: () => {
    const first = active?.messages.find((each) => each.number);
    if (!active?.more || active.asking || !active.live || !first) return;
    active.asking = true;
    link.ask("history", { channel_id: active.id, before: first.number, limit: 50 });
  },
});

function discard(message) {
  active.messages = active.messages.filter((each) => each.key !== message.key);
  stream.remove(message.key);
}

const fits = (item, message) => [item.message_subtypes].flat().some((subtype) => subtype === message.subtype || subtype === "all");

function useMenu(item, message) {
  const { text, link: address, title, path, filename, size, button } = message.content;
  const content = Object.fromEntries(Object.entries({ text, link: address, title, path, filename, size, button }).filter(([, value]) => value !== null && value !== undefined));
  const body = { channel_id: active.id, menu_item_id: item.menu_item_id, message_id: message.message_id, message_subtype: message.subtype, message_content: content };
  withDialog(item.dialog, (extra) => link.send("menu_item_click", { ...body, ...extra }));
}

function withDialog(dialog, send) {
  if (dialog) openDialog(dialog, (given, bottom) => send({ arguments: given, ...(bottom ? { bottom_button_id: bottom } : {}) }));
  else send({});
}

const composer = new Composer({
  onSend(text) {
    if (!active) return;
    const frame = link.send("message_up", { channel_id: active.id, subtype: "text", content: { text } });
    frame.made = Date.now();
    stream.put(pendingOf(frame));
  },
  onDraft(text) {
    if (!active) return;
    active.draft = text;
    if (text) localStorage.setItem(`mooring.draft.${active.id}`, text);
    else localStorage.removeItem(`mooring.draft.${active.id}`);
  },
});

// --- drawing -----------------------------------------------------------------------------------------------------------

function select(channel) {
  active = channel;
  history.replaceState(null, "", `#${encodeURIComponent(channel.id)}`);
  channel.unread = 0;
  clearPeople();
  redraw();
  showMembers(channel.characters, me.id);
  composer.names = [...channel.characters.values()].map((each) => each.name).sort();
  composer.set(channel.draft);
  $("text").placeholder = `Message ${channel.channel_name}, or / for commands`;
  drawCanvas();
  drawButtons();
  drawChannels();
  drawer(null);
  if (!channel.joined && !channel.live) join(channel);
  if (matchMedia("(hover: hover)").matches) $("text").focus();
}

function redraw() {
  const waiting = [...link.pending.values()].filter((frame) => frame.type === "message_up" && frame.body.channel_id === active.id);
  stream.reset([...active.messages, ...waiting.map(pendingOf)]);
}

function drawChannels() {
  let elsewhere = 0;
  $("channel-list").replaceChildren(...[...channels.values()].map((channel) => {
    if (channel !== active) elsewhere += channel.unread;
    const unread = channel.unread ? el("span", { className: "badge", "aria-label": `${channel.unread} unread` }, channel.unread > 99 ? "99+" : String(channel.unread)) : null;
    return el("li", {}, el("button", { type: "button", disabled: !channel.open, "aria-current": channel === active ? "true" : null, className: channel.unread ? "unread" : "",
      title: channel.open ? channel.channel_description : "For people with a token", on: { click: () => select(channel) } },
    el("span", { className: "hash", "aria-hidden": "true" }, "#"), el("span", { className: "name" }, channel.channel_name), unread, channel.joined ? null : el("span", { className: "tag" }, channel.open ? "join" : "closed")));
  }));
  $("elsewhere").hidden = elsewhere === 0;
  $("elsewhere").textContent = elsewhere > 99 ? "99+" : String(elsewhere);
  if (active) {
    $("channel-name").textContent = active.channel_name;
    $("channel-about").textContent = active.channel_description;
    const all = [...channels.values()].reduce((sum, channel) => sum + channel.unread, 0);
    document.title = `${all ? `(${all}) ` : ""}${active.channel_name} · Mooring`;
  }
}

const isShown = (widget) => active.style.get(widget)?.display !== "invisible";

function drawCanvas() {
  showCanvas(active.canvas, isShown("canvas"));
  $("canvas-part").classList.toggle("highlight", active.style.get("canvas")?.display === "highlight");
}

function drawButtons() {
  $("buttons").replaceChildren(...active.buttons.filter((button) => isShown(`button ${button.button_id}`)).map((button) => el("button", { type: "button",
    className: active.style.get(`button ${button.button_id}`)?.display === "highlight" ? "highlight" : "",
    on: { click: () => withDialog(button.dialog, (extra) => link.send("button_click", { channel_id: active.id, button_id: button.button_id, ...extra })) } }, button.button_text)));
  $("buttons").hidden = !isShown("button") || $("buttons").childElementCount === 0;
}

function drawStyled() {
  drawCanvas();
  drawButtons();
}

function showState(state, seconds) {
  const words = { live: "Connected", connecting: "Connecting…", lost: seconds > 1 ? `Reconnecting in ${seconds} s` : "Reconnecting…" };
  $("state").textContent = words[state];
  $("state").dataset.state = state;
  if (state !== "live") for (const channel of channels.values()) channel.live = false;
  if (state === "lost" && entering) $("enter-problem").textContent = "The service cannot be reached. Trying again…";
}

// --- drawers on small screens --------------------------------------------------------------------------------------------

let opener = null;

function drawer(id, from = null) {
  for (const each of ["channels", "people"]) {
    $(each).classList.toggle("open", each === id);
    $(`show-${each}`).setAttribute("aria-expanded", String(each === id));
  }
  $("shade").hidden = !id;
  if (id) { opener = from; $(id).querySelector("button:not([disabled])")?.focus(); } else if (opener) { opener.focus(); opener = null; }
}

for (const id of ["channels", "people"]) $(`show-${id}`).addEventListener("click", (event) => drawer(id, event.currentTarget));
for (const button of document.querySelectorAll("[data-close]")) button.addEventListener("click", () => drawer(null));
$("shade").addEventListener("click", () => drawer(null));
addEventListener("keydown", (event) => { if (event.key === "Escape" && !$("shade").hidden) drawer(null); });
document.addEventListener("visibilitychange", () => { if (!document.hidden && active) { active.unread = 0; drawChannels(); } });

if (localStorage.getItem(TOKEN)) { $("room").hidden = false; link.open(); } else showEnter();
