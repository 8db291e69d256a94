// The way to the service: one WebSocket that comes back by itself.

import { makeId } from "./outbox.js";

const FIRST_WAIT = 400;
const LONGEST_WAIT = 10_000;
const SILENCE = 10_000; // is broken by a ping
const SILENCE_AFTER_SENDING = 3_000; // the same when something was sent
const PATIENCE = 10_000; // for any frame after a ping, and for a connection
const AWAKE_PATIENCE = 3_000; // the same after the page was out of sight, when the way is likely to be gone
const SLEEP = 90_000; // Timers of a page out of sight still run once a minute.

/** Half a character, which a slip in cutting leaves, makes a frame that nobody can read. */
const wellFormed = (_, value) => value?.toWellFormed?.() ?? value;

/**
 * Calls back with `onFrame(frame, asked)`, also with what it answers, and, each second while it waits, `onState(state, seconds)`. `hello()` gives the body of the first frame, and
 * `isWaiting()` whether an answer is waited for.
 */
export class Link {
	asked = new Map(); // request id -> what was asked on this connection and is not answered
	wait = FIRST_WAIT;
	comesBack = 0; // when it will connect again, if it is waiting
	deadline = 0; // by when something has to be heard
	lastHeard = 0;
	lastTick = Date.now();

	constructor(callbacks) {
		Object.assign(this, callbacks);
		addEventListener("online", () => this.wanted && this.open()); // perhaps by another network
		addEventListener("pageshow", (event) => event.persisted && this.wanted && this.open());
		addEventListener("offline", () => this.probe(AWAKE_PATIENCE));
		document.addEventListener("resume", () => this.wanted && this.open());
		document.addEventListener("visibilitychange", () => document.hidden || this.lookAgain());
		setInterval(() => this.tick(), 1000);
	}

	open() {
		const isPrepared = this.socket && !this.wanted;
		if (!isPrepared) this.drop();
		this.wanted = true;
		this.onState("connecting");
		if (!isPrepared) this.connect();
		else if (this.socket.readyState === WebSocket.OPEN) this.greet();
		this.expect(PATIENCE);
	}

	/** Connect for somebody who is about to come in, which spares them a wait. */
	prepare() {
		if (!this.socket) this.connect();
	}

	connect() {
		const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`);
		this.socket = socket;
		socket.onopen = () => { this.heard(); if (this.wanted) this.greet(); };
		socket.onmessage = (event) => { if (socket === this.socket) { this.heard(); this.take(JSON.parse(event.data)); } };
		socket.onclose = (event) => socket === this.socket && this.lost(event.code);
	}

	/** Let go of the connection; nothing that still comes of it counts. */
	drop() {
		const socket = this.socket;
		this.socket = null;
		this.comesBack = this.deadline = 0;
		this.asked.clear();
		socket?.close(1000);
	}

	greet() {
		this.ask("hello", this.hello());
		this.expect(PATIENCE);
	}

	close() {
		this.wanted = false;
		this.drop();
	}

	expect(patience) {
		this.deadline = Math.min(this.deadline || Infinity, Date.now() + patience);
	}

	heard() {
		this.lastHeard = Date.now();
		this.deadline = 0;
	}

	probe(patience) {
		if (this.socket?.readyState !== WebSocket.OPEN) return;
		if (!this.deadline) this.ask("ping", {});
		this.expect(patience);
	}

	lookAgain() {
		if (!this.wanted) return;
		if (this.comesBack) this.open();
		else this.probe(AWAKE_PATIENCE);
	}

	/** Each second. A `setTimeout` for each deadline would be late by as long as the machine slept. */
	tick() {
		const now = Date.now();
		const hasSlept = Math.abs(now - this.lastTick) > SLEEP; // or the clock was put back
		this.lastTick = now;
		if (!this.wanted) return;
		if (hasSlept || (this.comesBack && now >= this.comesBack)) this.open();
		else if (this.comesBack) this.onState("lost", Math.ceil((this.comesBack - now) / 1000));
		else if (this.deadline && now >= this.deadline) this.lost();
		else if (now - this.lastHeard > SILENCE || (this.isWaiting() && now - this.lastHeard > SILENCE_AFTER_SENDING)) this.probe(PATIENCE);
	}

	lost(code) {
		this.drop();
		if (!this.wanted) return;
		const wait = code === 1013 || code === 1001 ? FIRST_WAIT : this.wait;
		this.wait = Math.min(this.wait * 1.8, LONGEST_WAIT);
		const spread = wait * (0.75 + Math.random() / 2); // Not all members at once.
		this.comesBack = Date.now() + spread;
		this.onState("lost", Math.ceil(spread / 1000));
		if (spread < 1000) setTimeout(() => this.comesBack && this.open(), spread);
	}

	write({ type, request_id, body }) {
		if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ type, request_id, body }, wellFormed));
	}

	take(frame) {
		const { request_id } = frame;
		const asked = this.asked.get(request_id);
		if (asked && frame.body.retry) {
			setTimeout(() => this.asked.get(request_id) === asked && this.write(asked), 1000 + Math.random() * 1000);
			return;
		}
		if (frame.type !== "history" || asked?.type === frame.type) this.asked.delete(request_id); // After the history of a join comes its answer.
		if (frame.type === "welcome") {
			this.wait = FIRST_WAIT;
			this.onState("live");
		}
		this.onFrame(frame, asked);
	}

	ask(type, body) {
		const frame = { type, request_id: makeId(), body };
		this.asked.set(frame.request_id, frame);
		this.write(frame);
		return frame.request_id;
	}
}
