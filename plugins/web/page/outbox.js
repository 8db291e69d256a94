// What was sent and is not acknowledged yet. It outlasts the page, and the events of a channel go one after the other.

import { keep, keptJson, keptKeys } from "./kept.js";

const FIRST_WAIT = 1000;
const LONGEST_WAIT = 8000;
const CERTAIN = 20 * 3600_000; // The service knows for a day what it has handled already.
const FORGOTTEN = 30 * 86_400_000;

export const makeId = () => `${Date.now().toString(36)}-${crypto.getRandomValues(new Uint32Array(2)).join("-")}`;

const isText = (value) => typeof value === "string" && value !== "";

/** Whether this can be drawn and sent; else it would stop all that comes after it. */
const isGood = (frame) => [frame?.type, frame?.request_id, frame?.tab, frame?.body?.channel_id].every(isText) && frame.request_id.length <= 64
	&& frame.made > 0 && frame.made < Date.now() + FORGOTTEN && (frame.type !== "message_up" || isText(frame.body.content?.text));

const TAB = makeId();
const lockOf = (tab) => `mooring.tab.${tab}`;
const { locks } = navigator; // Only by https, or on this machine; without them two tabs may send the same, which is done once.
locks?.request(lockOf(TAB), () => new Promise(() => {})).catch(() => {}); // as long as this page is there

/** `write(frame)` sends; `onFound(channel_id)` is told of events that another page has left. */
export class Outbox {
	frames = new Map(); // request id -> frame, in the order in which they were made
	ready = new Set(); // the channels that are joined on this connection
	going = new Map(); // channel id -> the id of the event that waits for its answer, or for the next try
	waits = new Map(); // channel id -> milliseconds to the next try
	tabs = new Set(); // other pages whose end is waited for
	member_id = "";
	made = 0;

	constructor(callbacks) {
		Object.assign(this, callbacks);
		if (locks) addEventListener("storage", ({ key }) => key?.startsWith(`mooring.${this.prefix}`) && this.look());
	}

	get prefix() { return `unsent.${this.member_id}.`; }

	belongTo(member_id) {
		if (member_id === this.member_id) return;
		this.pause();
		this.frames.clear();
		this.tabs.clear();
		this.member_id = member_id;
		this.look();
	}

	of(channel_id) { return [...this.frames.values()].filter((frame) => frame.body.channel_id === channel_id); }

	/** Send an event, again after each reconnect with the same id, until it is answered. `label` is what a click was on. */
	add(type, body, label) {
		this.made = Math.max(Date.now(), this.made + 1); // No two at once: it is their order.
		const frame = { type, request_id: makeId(), body, made: this.made, tab: TAB, label };
		this.put(frame);
		this.go(body.channel_id);
		return frame;
	}

	put(frame) {
		this.frames.set(frame.request_id, frame);
		keep(this.prefix + frame.request_id, JSON.stringify(frame));
	}

	drop(request_id) {
		this.frames.delete(request_id);
		keep(this.prefix + request_id, "");
	}

	/** Send the first of a channel's events. The next waits for its answer, as only the first of two might be refused. */
	go(channel_id) {
		const frame = this.of(channel_id).find((each) => !each.failed);
		if (!frame || !this.ready.has(channel_id) || this.going.has(channel_id)) return;
		this.going.set(channel_id, frame.request_id);
		if (!frame.isTried) this.put({ ...frame, isTried: true });
		this.write(frame);
	}

	/** Take the answer to an event; gives the event. A message that was refused stays until it is discarded. */
	take({ type, request_id, body }) {
		const frame = this.frames.get(request_id);
		if (!frame) return null;
		const { channel_id } = frame.body;
		if (body.retry) {
			const wait = this.waits.get(channel_id) || FIRST_WAIT;
			this.waits.set(channel_id, Math.min(wait * 1.5, LONGEST_WAIT));
			setTimeout(() => this.goOn(channel_id, request_id), wait * (0.75 + Math.random() / 2));
		} else {
			this.waits.delete(channel_id);
			if (type === "error" && frame.type === "message_up") this.put({ ...frame, failed: body.message });
			else this.drop(request_id);
			this.goOn(channel_id, request_id);
		}
		return frame;
	}

	goOn(channel_id, request_id) {
		if (this.going.get(channel_id) !== request_id) return;
		this.going.delete(channel_id);
		this.go(channel_id);
	}

	channelReady(channel_id) {
		this.ready.add(channel_id);
		this.go(channel_id);
	}

	pause() {
		for (const each of [this.ready, this.going, this.waits]) each.clear();
	}

	forget(channel_id) {
		for (const { request_id } of this.of(channel_id)) this.drop(request_id);
		for (const each of [this.ready, this.going, this.waits]) each.delete(channel_id);
	}

	/** Find what other pages have not sent; it is this one's as soon as they are closed. */
	look() {
		for (const { tab } of this.kept()) {
			if (tab === TAB || this.tabs.has(tab)) continue;
			this.tabs.add(tab);
			const { member_id } = this;
			const take = () => member_id === this.member_id && this.takeOver(tab);
			if (locks) locks.request(lockOf(tab), take).catch(() => {});
			else take();
		}
	}

	kept() {
		return keptKeys(this.prefix).map(keptJson).filter(isGood).sort((a, b) => a.made - b.made);
	}

	takeOver(tab) {
		this.tabs.delete(tab);
		const found = this.kept().filter((frame) => frame.tab === tab);
		for (const frame of found) {
			const age = Date.now() - frame.made;
			const isUnsure = frame.isTried && age > CERTAIN; // It may have been done, and would be done again.
			if (age > FORGOTTEN || (isUnsure && frame.type !== "message_up")) this.drop(frame.request_id);
			else this.put({ ...frame, tab: TAB, failed: frame.failed || (isUnsure && "This was written a while ago, and may have been sent.") });
		}
		this.frames = new Map([...this.frames].sort(([, a], [, b]) => a.made - b.made));
		for (const channel_id of new Set(found.map((frame) => frame.body.channel_id))) {
			this.onFound(channel_id);
			this.go(channel_id);
		}
	}
}
