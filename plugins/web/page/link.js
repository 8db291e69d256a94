// The way to the service: one WebSocket that comes back by itself, and the events that are not acknowledged yet.

const FIRST_WAIT = 400;
const LONGEST_WAIT = 10_000;
const SILENCE = 10_000; // is broken by a ping
const SILENCE_UNSEEN = 30_000; // the same while nobody looks
const SILENCE_AFTER_SENDING = 3_000; // the same when something was sent
const PATIENCE = 10_000; // for any frame after a ping, and for a connection
const AWAKE_PATIENCE = 3_000; // the same after the page was out of sight, when the way is likely to be gone
const SLEEP = 90_000; // Timers of a page out of sight still run once a minute.

const makeId = () => `${Date.now().toString(36)}-${crypto.getRandomValues(new Uint32Array(2)).join("-")}`;

/** Half a character, which a slip in cutting leaves, makes a frame that nobody can read. */
const wellFormed = (_, value) => (typeof value === "string" ? value.replace(/\p{Surrogate}/gu, "\ufffd") : value);

function storedFrames() {
	try {
		return JSON.parse(sessionStorage.getItem("mooring.pending")).filter((frame) => frame.request_id && frame.body.channel_id);
	} catch {
		return [];
	}
}

/** Calls back with `onFrame(frame)` and, each second while it waits, `onState(state, seconds)`; `hello()` gives the body of the first frame. */
export class Link {
	pending = new Map();
	ready = new Set();
	greeting = null; // the id of a hello that was not welcomed yet
	wait = FIRST_WAIT;
	comesBack = 0; // when it will connect again, if it is waiting
	deadline = 0; // by when something has to be heard
	lastHeard = 0;
	lastTick = Date.now();

	constructor(callbacks) {
		Object.assign(this, callbacks);
		// Another tab has its own list: sessionStorage belongs to one tab, and survives its reload.
		for (const frame of storedFrames()) this.pending.set(frame.request_id, frame);
		addEventListener("online", () => this.wanted && this.open()); // perhaps by another network, on which the old connection is dead
		addEventListener("pageshow", (event) => event.persisted && this.wanted && this.open());
		addEventListener("offline", () => this.probe(AWAKE_PATIENCE));
		document.addEventListener("resume", () => this.wanted && this.open());
		document.addEventListener("visibilitychange", () => document.hidden || this.lookAgain());
		setInterval(() => this.tick(), 1000);
	}

	/** Connect anew, whatever there is by now. */
	open() {
		this.drop();
		this.wanted = true;
		this.onState("connecting");
		const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`);
		this.socket = socket;
		socket.onopen = () => { this.heard(); this.greet(); };
		socket.onmessage = (event) => { if (socket === this.socket) { this.heard(); this.take(JSON.parse(event.data)); } };
		socket.onclose = (event) => socket === this.socket && this.lost(event.code);
		this.expect(PATIENCE);
	}

	/** Let go of the connection, if there is one; nothing that still comes of it counts. */
	drop() {
		const socket = this.socket;
		this.socket = null;
		this.ready.clear();
		this.comesBack = this.deadline = 0;
		socket?.close(1000);
	}

	greet() {
		this.greeting = this.ask("hello", this.hello());
		this.expect(PATIENCE);
	}

	close() {
		this.wanted = false;
		this.drop();
	}

	/** Something has to come within so many milliseconds, or the connection is taken for dead. */
	expect(patience) {
		this.deadline = Math.min(this.deadline || Infinity, Date.now() + patience);
	}

	heard() {
		this.lastHeard = Date.now();
		this.deadline = 0;
	}

	/** See whether anybody is still there. */
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

	/** What is to be done each second. A `setTimeout` for each would not do: those of a machine that has slept are late by as long as it slept. */
	tick() {
		const now = Date.now();
		const hasSlept = Math.abs(now - this.lastTick) > SLEEP; // or the clock was put back
		this.lastTick = now;
		if (!this.wanted) return;
		if (hasSlept || (this.comesBack && now >= this.comesBack)) this.open();
		else if (this.comesBack) this.onState("lost", Math.ceil((this.comesBack - now) / 1000));
		else if (this.deadline && now >= this.deadline) this.lost();
		else if (now - this.lastHeard > (document.hidden ? SILENCE_UNSEEN : SILENCE) || (this.pending.size && now - this.lastHeard > SILENCE_AFTER_SENDING)) this.probe(PATIENCE);
	}

	lost(code) {
		this.drop();
		if (!this.wanted) return;
		const wait = code === 1013 || code === 1001 ? FIRST_WAIT : this.wait;
		this.wait = Math.min(this.wait * 1.8, LONGEST_WAIT);
		const spread = wait * (0.75 + Math.random() / 2); // All members of a service that restarts must not come back at once.
		this.comesBack = Date.now() + spread;
		this.onState("lost", Math.ceil(spread / 1000));
		if (spread < 1000) setTimeout(() => this.comesBack && this.open(), spread);
	}

	write({ type, request_id, body }) {
		if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ type, request_id, body }, wellFormed));
	}

	take(frame) {
		if (frame.type === "welcome") {
			this.wait = FIRST_WAIT;
			this.greeting = null;
			this.onState("live");
		}
		const sent = this.pending.get(frame.request_id);
		if (sent && frame.body.retry) setTimeout(() => this.ready.has(sent.body.channel_id) && this.pending.has(sent.request_id) && this.write(sent), 1000 + Math.random() * 1000);
		else if (sent) { this.pending.delete(frame.request_id); this.keep(); }
		this.onFrame(frame, sent);
	}

	/** Ask for something that is asked anew after a reconnect anyway. */
	ask(type, body) {
		const request_id = makeId();
		this.write({ type, request_id, body });
		return request_id;
	}

	/** Send an event; it is sent again after each reconnect, with the same id, until it is acknowledged. */
	send(type, body) {
		const frame = { type, request_id: makeId(), body, made: Date.now() };
		this.pending.set(frame.request_id, frame);
		this.keep();
		if (this.ready.has(body.channel_id)) this.write(frame);
		return frame;
	}

	/** The channel is joined on this connection: what waits for it can go. */
	channelReady(channel_id) {
		if (this.ready.has(channel_id)) return;
		this.ready.add(channel_id);
		for (const frame of this.pending.values()) if (frame.body.channel_id === channel_id) this.write(frame);
	}

	/** The channel is no more, and what waits for it goes nowhere. */
	forget(channel_id) {
		this.ready.delete(channel_id);
		for (const frame of this.pending.values()) if (frame.body.channel_id === channel_id) this.pending.delete(frame.request_id);
		this.keep();
	}

	keep() {
		try { sessionStorage.setItem("mooring.pending", JSON.stringify([...this.pending.values()])); } catch { /* Forbidden or full: they wait on this page alone. */ }
	}
}
