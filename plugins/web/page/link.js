// The way to the service: one WebSocket that comes back by itself, and the events that are not acknowledged yet.

const FIRST_WAIT = 400;
const LONGEST_WAIT = 10_000;
const PING_EVERY = 30_000;

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

/** Calls back with `onFrame(frame)` and `onState(state, seconds)`; `hello()` gives the body of the first frame. */
export class Link {
	pending = new Map();
	ready = new Set();
	wait = FIRST_WAIT;

	constructor(callbacks) {
		Object.assign(this, callbacks);
		// Another tab has its own list: sessionStorage belongs to one tab, and survives its reload.
		for (const frame of storedFrames()) this.pending.set(frame.request_id, frame);
		addEventListener("online", () => this.wanted && !this.socket && this.open());
		setInterval(() => this.ask("ping", {}), PING_EVERY);
	}

	open() {
		this.wanted = true;
		clearTimeout(this.timer);
		this.onState("connecting");
		const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`);
		this.socket = socket;
		socket.onopen = () => this.greet();
		socket.onmessage = (event) => socket === this.socket && this.take(JSON.parse(event.data));
		socket.onclose = (event) => socket === this.socket && this.lost(event.code);
	}

	greet() {
		this.greeting = this.ask("hello", this.hello());
	}

	close() {
		this.wanted = false;
		const socket = this.socket;
		this.socket = null;
		this.ready.clear();
		socket?.close(1000);
	}

	lost(code) {
		this.socket = null;
		this.ready.clear();
		if (!this.wanted) return;
		const wait = code === 1013 || code === 1001 ? FIRST_WAIT : this.wait;
		this.wait = Math.min(this.wait * 1.8, LONGEST_WAIT);
		const spread = wait * (0.75 + Math.random() / 2); // All members of a service that restarts must not come back at once.
		this.onState("lost", Math.ceil(spread / 1000));
		this.timer = setTimeout(() => this.open(), spread);
	}

	write({ type, request_id, body }) {
		if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ type, request_id, body }, wellFormed));
	}

	take(frame) {
		if (frame.type === "welcome") { this.wait = FIRST_WAIT; this.onState("live"); }
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
