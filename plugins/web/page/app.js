// The page: what it knows of its channels, and how frames change it.

import { Composer } from "./composer.js";
import { openDialog, openMenu } from "./dialog.js";
import { $, avatar, button, el, renew } from "./dom.js";
import { keep, kept, keptKeys } from "./kept.js";
import { Link } from "./link.js";
import { Stream } from "./messages.js";
import { Outbox } from "./outbox.js";
import { Characters, clearPeople, showCanvas, showMembers } from "./people.js";

const club = document.title;
const me = { id: "", name: "", guest: false };
const channels = new Map();
let active = null;
let commands = []; // of all plugins
let entering = null; // what the form gave, until the service has welcomed it
let said = null; // what the last hello gave
let repeats = 0; // how often the same was given before

const newChannel = (id) => ({
	id, messages: [], last: 0, more: false, asking: false, unread: 0, characters: new Characters(me),
	canvas: [], buttons: [], menu: [], style: new Map(), draft: kept(`draft.${me.id}.${id}`),
});

// Who

function showEnter(problem = "") {
	link.close();
	link.prepare();
	outbox.pause();
	$("room").hidden = true;
	$("enter").hidden = false;
	$("enter-problem").textContent = problem;
	$("enter-forgets").hidden = keep("probe", "1");
	keep("probe", "");
	$("enter-name").value ||= kept("name");
	$("enter-name").focus();
}

const enterToken = $("nowhere-token").onclick = () => {
	showEnter();
	$("enter-given").open = true;
	$("enter-token").focus();
};

$("enter-form").oninput = () => link.prepare();
$("enter-form").onsubmit = (event) => {
	event.preventDefault();
	const [name, token] = ["enter-name", "enter-token"].map((id) => $(id).value.trim());
	$("enter-problem").textContent = name || token ? "" : "A name is missing.";
	if (!name && !token) return;
	const before = kept("token");
	const given = token ? { token, ...(me.guest && before && { guest: before }) } : before && name === kept("name") ? null : { name };
	// The same once more would find the name taken: by oneself.
	if (link.wanted && link.socket && JSON.stringify(given) === JSON.stringify(entering)) return;
	entering = given;
	link.open();
};

const choices = {
	token: enterToken,

	rename() {
		entering = { token: kept("token"), name: $("me-name").value.trim() };
		if (entering.name !== me.name) link.open();
	},

	leave() { if (active) outbox.add("leave", { channel_id: active.id }); },

	logOut() {
		keep("token", "");
		location.reload();
	},

	forget() {
		for (const { id, live } of channels.values()) if (live) link.ask("leave", { channel_id: id });
		for (const key of keptKeys("")) keep(key, "");
		link.socket.onclose = () => location.replace("/");
		link.close();
	},
};

$("me").onclick = () => {
	$("me-guest").hidden = !me.guest;
	$("me-name").value = me.name;
	$("me-dialog").returnValue = "";
	$("me-dialog").showModal();
};
$("me-dialog").onclose = () => choices[$("me-dialog").returnValue]?.();

const applyTheme = () => { document.documentElement.style.colorScheme = kept("theme"); };
applyTheme();
for (const each of document.querySelectorAll("#me-dialog select")) {
	each.value = kept(each.id);
	each.onchange = () => {
		keep(each.id, each.value);
		applyTheme();
		if (kept("notify")) Notification.requestPermission();
	};
}

/** Tell somebody who is not looking what was said to them. */
function notify({ channel_name: name }, { content, key }) {
	try { new Notification(name, { body: content.text, tag: key }); } catch { /* Some phones let no page do this. */ }
}

// Frames

function hello() {
	repeats = entering && said === entering ? repeats + 1 : 0;
	said = entering;
	return entering || { token: kept("token") };
}

const link = new Link({ hello, onFrame: take, onState: showState, isWaiting: () => outbox.going.size > 0 });

const outbox = new Outbox({
	write: (frame) => link.write(frame),
	onFound: (channel_id) => { if (active?.id === channel_id) redraw(); },
});

const takers = {
	welcome(body) {
		if (body.member_id !== me.id) { channels.clear(); active = null; }
		Object.assign(me, { id: body.member_id, name: body.name, guest: body.guest });
		keep("token", body.token);
		keep("name", body.name);
		entering = null;
		commands = body.commands;
		outbox.belongTo(me.id);
		know(body.channels);
		for (const channel of channels.values()) Object.assign(channel, { live: false, asking: false });
		$("enter").hidden = true;
		$("room").hidden = false;
		$("me").replaceChildren(avatar(me.id, me.name), el("bdi.name", me.name));
		if (channels.has(active?.id)) join(active);
		settleIn();
		for (const channel of channels.values()) if (channel.joined && channel !== active) join(channel);
	},

	channels(body) {
		know(body.channels);
		settleIn();
	},

	history(body, channel) {
		const messages = body.messages.map(prepared);
		channel.isLoaded = true;
		if (body.mode === "missed") {
			for (const message of messages) addMessage(channel, message);
			for (const message of channel.messages.filter((each) => !each.number && each.context?.progress)) interrupt(channel, message);
			return;
		}
		channel.more = body.more;
		channel.asking = false;
		if (body.mode === "older") {
			channel.messages.unshift(...messages);
			if (channel === active) stream.prepend(messages);
		} else {
			channel.messages = messages;
			channel.last = body.last;
			const known = kept(`read.${channel.id}`);
			channel.unread = known ? messages.filter((message) => message.number > known && isNews(message)).length : 0;
			read(channel);
			if (channel !== active) return;
			redraw();
			$("room").classList.remove("loading");
			if (document.activeElement === document.body) focusText(); // and not taken from where somebody is by now
		}
	},

	message_down(body, channel) { addMessage(channel, prepared(body)); },

	characters({ items }, channel) {
		channel.characters.reset(items);
		meet(channel);
	},

	character_changes(body, channel) {
		channel.characters.change(body);
		meet(channel);
	},

	character_count(body, channel) {
		const isOld = channel.characters.count(body);
		// A crowd must not ask all at once.
		if (isOld) setTimeout(() => channel.live && askForCharacters(channel, { prefix: me.name, limit: 1 }), Math.random() * 1000);
		meet(channel);
	},

	character_page(body, channel, asked) {
		const beginning = asked.body.prefix?.toLowerCase();
		channel.characters.read(body, beginning);
		meet(channel);
		if (beginning === undefined) readOn(channel);
		if (channel === active && beginning !== undefined) composer.refresh();
	},

	canvas(body, channel) { channel.canvas = body.items; drawWidgets(channel); },
	buttons(body, channel) { channel.buttons = body.items; drawWidgets(channel); },
	menu(body, channel) { channel.menu = body.items; if (channel === active) stream.refresh(); },
	style(body, channel) {
		for (const { widget, button_id, display } of body.items) channel.style.set(button_id ? `button ${button_id}` : widget, display);
		drawWidgets(channel);
	},
	channel_info(body, channel) { Object.assign(channel, body); drawChannels(); },

	ack(body, joining, asked, sent) {
		if (sent) settle(sent);
		if (sent?.type === "leave" && body.ok) {
			Object.assign(channels.get(sent.body.channel_id), { joined: false, live: false });
			showNowhere("");
		}
		if (sent?.label && body.ok) tell(`${sent.label}: done`);
		if (!joining) return;
		if (!body.ok) { problem(joining, body.message); return; }
		joining.live = joining.joined = true;
		outbox.channelReady(joining.id);
		drawChannels();
	},

	error({ code, message, retry }, joining, asked, sent) {
		const isGreeting = asked?.type === "hello", given = entering;
		if (joining) problem(joining, message);
		else if (isGreeting && code === "name_taken" && repeats > 0 && repeats < 40) {
			// Perhaps by a connection of one's own that broke, until the service notices.
			$("enter-problem").textContent = "The name is not free yet. Trying again…";
			setTimeout(() => given === entering && link.wanted && link.greet(), 1500);
		} else if (isGreeting || code === "revoked") {
			const isKept = !entering || code === "revoked";
			if (isKept) keep("token", "");
			entering = null;
			showEnter(isKept && code === "malformed" ? "What this browser has kept to know you by is damaged. Please come in anew." : message);
		} else if (sent && !retry) settle(sent, message);
	},
};

function know(entries) {
	const ids = new Set(entries.map((entry) => entry.channel_id));
	for (const id of [...channels.keys()]) if (!ids.has(id)) { channels.delete(id); outbox.forget(id); }
	for (const entry of entries) {
		if (!channels.has(entry.channel_id)) channels.set(entry.channel_id, newChannel(entry.channel_id));
		Object.assign(channels.get(entry.channel_id), entry);
	}
}

/** Stay in the channel that is shown, or go to another one if there is none, or it is gone. */
function settleIn() {
	const other = active && [...channels.values()].find((each) => each.joined);
	if (channels.has(active?.id)) { composer.commands = commandsOf(active); drawChannels(); }
	else if (other) select(other);
	else enter();
}

const commandsOf = (channel) => commands.filter(({ plugin }) => channel.plugins.includes(plugin));

function take(frame, asked) {
	const { type, body } = frame;
	const sent = outbox.take(frame);
	const joining = asked?.type === "join" && type !== "history" && channels.get(asked.body.channel_id);
	takers[type]?.(body, joining || channels.get(body.channel_id), asked, sent);
}

const join = ({ id, last }) => link.ask("join", { channel_id: id, ...(last > 0 && { after: last }) });

// Messages

const prepared = (message) => ({ ...message, key: message.message_id });

/** Comings and goings are no news, nor is what one has said oneself. */
const isForMe = ({ private: isPrivate, content }) => isPrivate || content.text?.toLowerCase().includes(`@${me.name.toLowerCase()}`);
const isNews = ({ sender, context }) => sender !== me.id && !context?.notice;

/** Perhaps nobody goes on with what was on its way. */
function interrupt(channel, { context, ...message }) {
	const { progress } = context;
	if (!context.interrupted) addMessage(channel, { ...message, context: { interrupted: true, progress: { ...progress, label: `${progress.label} (interrupted)` } } });
}

function addMessage(channel, message) {
	if (message.number && message.number <= channel.last) return;
	channel.last = Math.max(channel.last, message.number);
	const old = channel.messages.findIndex((each) => each.key === message.key);
	if (old >= 0) channel.messages[old] = message;
	else channel.messages.push(message);
	if (channel === active) stream.put(message);
	trim(channel);
	if (old < 0 && isNews(message)) {
		if (channel !== active || document.hidden) channel.unread += 1;
		if (document.hidden && kept("notify") && isForMe(message)) notify(channel, message);
	}
	read(channel);
}

const MOST = 300, SLACK = 100;

/** Let go of old messages; whoever scrolls back asks for them again. */
function trim(channel) {
	if (channel.messages.length <= MOST + SLACK || (channel === active && !stream.atEnd)) return;
	channel.messages.splice(0, channel.messages.length - MOST);
	channel.more = true;
	if (channel === active) stream.trim(MOST);
}

function read(channel) {
	if (channel === active && !document.hidden) {
		if (channel.unread) channel.line = Number(kept(`read.${channel.id}`));
		channel.unread = 0;
		if (channel.last) keep(`read.${channel.id}`, channel.last);
	}
	if (channel.unread !== channel.told) drawChannels();
}

/** A message on its way, until the real one comes. */
const pendingOf = ({ request_id, made, body, failed }) => ({ key: `pending ${request_id}`, request_id, pending: true, failed, sender: me.id, timestamp: made, number: 0, content: body.content });

function settle(frame, failure) {
	const channel = channels.get(frame.body.channel_id);
	if (channel && channel === active) drawButtons();
	if (frame.type !== "message_up" || !channel) { if (failure && (channel || active)) problem(channel || active, failure); return; }
	if (channel !== active) return;
	const message = pendingOf({ ...frame, failed: failure });
	if (failure) stream.put(message);
	else stream.remove(message.key);
}

function problem(channel, text) {
	addMessage(channel, { key: `problem ${Date.now()}`, number: 0, sender: "", timestamp: Date.now(), content: { text }, context: { error: true } });
}

const stream = new Stream({
	get line() { return active?.line; },
	get myName() { return me.name; },
	nameOf: ({ sender, sender_name: name }) => (sender ? name || (sender === me.id ? me.name : "Somebody who left") : club),
	menuFor: (message) => message.number > 0 && menuFor(message).length > 0,
	openMenu: (message, anchor) => openMenu(anchor, menuFor(message).map((item) => ({ text: item.menu_item_text, run: () => useMenu(item, message) }))),
	again: (message) => { composer.set(message.content.text); discard(message); $("text").focus(); },
	discard,
	wayWords,
	isLoading: () => active && !active.isLoaded,
	wantOlder: () => {
		const first = active?.messages.find((each) => each.number);
		if (!active?.more || active.asking || !active.live || !first) return;
		active.asking = true;
		link.ask("history", { channel_id: active.id, before: first.number, limit: 50 });
	},
});

function discard(message) {
	outbox.drop(message.request_id);
	stream.remove(message.key);
}

const menuFor = (message) => active.menu.filter((item) => [item.message_subtypes].flat().some((each) => each === message.subtype || each === "all" || (each === "own" && message.sender === me.id)));

function useMenu(item, message) {
	const body = { channel_id: active.id, menu_item_id: item.menu_item_id, message_id: message.message_id, message_subtype: message.subtype, message_content: message.content };
	withDialog(item.dialog, (extra) => click("menu_item_click", { ...body, ...extra }, item.menu_item_text), item.message_subtypes === "own" && message.content.text);
}

function withDialog(dialog, send, text) {
	if (dialog) openDialog(dialog, (given, bottom) => send({ arguments: given, ...(bottom && { bottom_button_id: bottom }) }), text);
	else send({});
}

const composer = new Composer({
	names: namesLike,
	onSend(text) {
		if (!active) return;
		stream.put(pendingOf(outbox.add("message_up", { channel_id: active.id, content: { text } })));
	},
	onDraft(text) {
		if (!active) return;
		active.draft = text;
		keep(`draft.${me.id}.${active.id}`, text);
	},
});

// Drawing

function named() {
	const name = location.hash.slice(1);
	try { return decodeURIComponent(name); } catch { return name; }
}

/** Show the channel that the address names, or else one that the member is in, or the first open one. */
function enter() {
	const id = named();
	const all = [...channels.values()];
	const channel = id ? channels.get(id) : all.find((each) => each.joined) || all.find((each) => each.open);
	if (channel && (channel.open || channel.joined)) select(channel);
	else showNowhere(id);
}

/** The address names no channel where this member can be. */
function showNowhere(id) {
	const open = [...channels.values()].filter((each) => each.open);
	const closed = channels.get(id);
	const what = closed ? `${closed.channel_name} is for people with a token` : id ? "There is no such channel" : open.length ? "Where to?" : "No channel is open to you";
	active = null;
	clearPeople();
	drawChannels();
	$("room").classList.remove("loading");
	$("room").classList.add("is-nowhere");
	$("channel-name").textContent = what;
	$("channel-about").textContent = "";
	document.title = `${what} · ${club}`;
	$("nowhere-why").textContent = open.length ? "You can go to:" : "If you were given a token, it may open one.";
	$("nowhere-list").replaceChildren(...open.map((channel) => el("li", button(".plain", `# ${channel.channel_name}`, () => select(channel)))));
	$("nowhere-token").hidden = !me.guest || (!closed && open.length > 0);
	closeDrawers();
	if (!$("nowhere").hidden) return;
	$("nowhere").hidden = false;
	$("nowhere").focus();
}

function select(channel) {
	if (active && active !== channel) active.place = stream.place();
	active = channel;
	$("room").classList.remove("is-nowhere");
	$("nowhere").hidden = true;
	composer.commands = commandsOf(channel);
	if (named() !== channel.id) history[location.hash ? "pushState" : "replaceState"](null, "", `#${encodeURIComponent(channel.id)}`);
	clearPeople();
	read(channel);
	redraw(channel.place);
	showMembers(channel.characters);
	composer.set(channel.draft);
	$("text").placeholder = `Message ${channel.channel_name}, or / for commands`;
	drawWidgets(channel);
	drawChannels();
	closeDrawers();
	if (!channel.live) join(channel);
	focusText();
}

const focusText = () => matchMedia("(hover: hover)").matches && $("text").focus();

function redraw(place = stream.place()) {
	const waiting = outbox.of(active.id).filter((frame) => frame.type === "message_up");
	stream.reset([...active.messages, ...waiting.map(pendingOf)], place);
}

function drawChannels() {
	let elsewhere = 0;
	for (const channel of channels.values()) {
		channel.told = channel.unread;
		if (channel !== active) elsewhere += channel.unread;
	}
	renew($("channel-list"), () => [...channels.values()].map((channel) => {
		const isActive = channel === active;
		return el("li", button(channel.unread ? ".unread" : "", el("span", { "aria-hidden": "true" }, "#"), () => select(channel),
			{ disabled: !channel.open, title: channel.open ? channel.channel_description : "For people with a token", "aria-current": isActive && "true" },
			el("bdi.name", channel.channel_name), channel.unread && el("span.badge", { "aria-label": `${channel.unread} unread`, role: "img" }, channel.unread),
			!channel.joined && el("span.tag", channel.open ? "join" : "closed")));
	}));
	$("elsewhere").hidden = elsewhere === 0;
	$("elsewhere").textContent = elsewhere;
	if (!active) return;
	$("channel-name").textContent = active.channel_name;
	$("channel-about").textContent = active.channel_description;
	const unread = elsewhere + active.unread;
	document.title = `${unread ? `(${unread}) ` : ""}${active.channel_name} · ${club}`;
}

let isDrawing = false;

/** Something of the members is new; it is drawn once a frame. */
function meet(channel) {
	if (channel !== active || isDrawing) return;
	isDrawing = true;
	requestAnimationFrame(() => { isDrawing = false; if (active) showMembers(active.characters); });
}

const askForCharacters = ({ id }, question) => link.ask("character_page", { channel_id: id, ...question });

function readOn(channel) {
	const { characters, live } = channel;
	if (live && characters.mustRead()) askForCharacters(channel, { after: characters.following, limit: 100 });
}

$("more-members").onclick = () => {
	active.characters.showMore();
	readOn(active);
	meet(active);
};

function namesLike(typed, most) {
	if (!active) return [];
	if (active.live && active.characters.mustAsk(typed)) askForCharacters(active, { prefix: typed });
	return active.characters.names(typed, most);
}

const displayOf = (widget) => active.style.get(widget);

function drawWidgets(channel) {
	if (channel !== active) return;
	showCanvas(active.canvas, displayOf("canvas"));
	drawButtons();
}

function drawButtons() {
	const shown = displayOf("button") === "invisible" ? [] : active.buttons.filter(({ button_id: id }) => displayOf(`button ${id}`) !== "invisible");
	renew($("buttons"), () => shown.map((each) => button(displayOf(`button ${each.button_id}`) === "highlight" ? ".highlight" : "", each.button_text, (event) => press(each, event.timeStamp),
		{ "aria-disabled": String(isPressed(each.button_id)) })));
	$("buttons").hidden = shown.length === 0;
}

const isPressed = (id) => outbox.of(active.id).some(({ type, body }) => type === "button_click" && body.button_id === id);

function press(each, now) {
	const { button_id, button_text, dialog } = each;
	if (isPressed(button_id) || $("dialog").open || (!dialog && now - each.pressed < 500)) return; // Twice is once.
	each.pressed = now;
	withDialog(dialog, (extra) => click("button_click", { channel_id: active.id, button_id, ...extra }, button_text));
}

function click(type, body, label) {
	outbox.add(type, body, label);
	if ($("state").dataset.state !== "live") tell(`${label}: not sent yet`);
	drawButtons();
}

let telling = 0;

/** Say for a moment what became of a click. */
function tell(text) {
	$("told").textContent = text;
	clearTimeout(telling);
	telling = setTimeout(() => { $("told").textContent = ""; }, 3000);
}

function wayWords() { return $("state").dataset.state === "live" ? "sending…" : "not sent yet"; }

function showState(state, seconds) {
	if (state !== "live") outbox.pause();
	const words = { live: "Connected", connecting: "Connecting…", lost: "Reconnecting" };
	if ($("state-word").textContent !== words[state]) $("state-word").textContent = words[state];
	$("state").dataset.state = state;
	for (const tag of document.querySelectorAll(".way")) tag.textContent = wayWords();
	$("state-seconds").textContent = state !== "lost" ? "" : seconds > 1 ? ` in ${seconds} s` : "…";
	$("enter-go").textContent = state === "connecting" ? "Coming in…" : "Enter";
	if (state === "lost" && entering) $("enter-problem").textContent = "The service cannot be reached. Trying again…";
}

const drawers = [$("channels"), $("people")];
const closeDrawers = () => { for (const each of drawers) each.hidePopover(); };

for (const drawer of drawers) drawer.onbeforetoggle = ({ newState }) => {
	for (const each of $("room").children) each.inert = newState === "open" && each !== drawer;
};
for (const width of [720, 1080]) matchMedia(`(max-width: ${width}px)`).onchange = closeDrawers;
addEventListener("hashchange", () => me.id && named() !== active?.id && enter());
document.addEventListener("visibilitychange", () => {
	if (!active || document.hidden) return;
	const { unread } = active;
	read(active);
	if (unread) redraw();
});

if (kept("token")) { $("room").hidden = false; link.open(); } else showEnter();
