// Small tools for building the page. Text only ever becomes text: nothing here takes HTML.

export const $ = (id) => document.getElementById(id);

const TEXTS = new Set(["p", "pre", "h2", "td", "th", "strong", "label", "input", "textarea", "option"]);

/** An element: `el("p.note", { hidden: true }, "text")`. Names with a dash and `role` are attributes, strings become text. */
export function el(selector, ...parts) {
	const [tag, ...classes] = selector.split(".");
	const node = document.createElement(tag);
	if (TEXTS.has(tag)) node.dir = "auto";
	node.className = classes.join(" ");
	for (const part of parts.flat(Infinity)) {
		if (!part) continue;
		if (part instanceof Node || typeof part !== "object") { node.append(part); continue; }
		for (const [name, value] of Object.entries(part)) {
			if (!/-|^for$|^role$/.test(name)) node[name] = value;
			else if (value || value === 0) node.setAttribute(name, value);
		}
	}
	return node;
}

export const button = (selector, label, onclick, ...parts) => el(`button${selector}`, { type: "button", onclick }, label, ...parts);

/** Draw what is in a box anew. The focus stays in its place, and what is just pressed until it is let go. */
export function renew(box, draw) {
	const isWaiting = box.due;
	box.due = draw;
	if (box.matches(":active")) {
		const release = () => setTimeout(() => box.due && renew(box, box.due));
		if (!isWaiting) for (const end of ["pointerup", "pointercancel", "keyup"]) addEventListener(end, release, { once: true });
		return;
	}
	box.due = null;
	const controls = box.getElementsByTagName("button");
	const at = [...controls].indexOf(document.activeElement);
	box.replaceChildren(...draw());
	if (at >= 0) (controls[at] || $("text")).focus();
}

const SVG = "http://www.w3.org/2000/svg";

export function icon(name) {
	const [svg, use] = ["svg", "use"].map((tag) => document.createElementNS(SVG, tag));
	use.setAttribute("href", `#i-${name}`);
	svg.setAttribute("aria-hidden", "true");
	svg.append(use);
	return svg;
}

const hash = (text) => [...text].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) >>> 0, 7);

export function avatar(id, name) {
	const disc = el("span.avatar", { "aria-hidden": "true" }, [...name].slice(0, 2).join("").toUpperCase());
	disc.style.background = `hsl(${(hash(id) % 12) * 30} 42% 31%)`; // White on it keeps a contrast above 5 for every hue.
	return disc;
}

const plain = (number) => String(Math.round(number * 10) / 10);

/** A bar with its label and number; `update` animates it to new values. */
export function meter(role = "meter") {
	const fill = el("span.fill"), label = el("bdi.label"), number = el("span.number"), change = el("span.change", { "aria-hidden": "true" });
	const track = el("span.track", { role, "aria-valuemin": 0 }, fill);
	const node = el("div.bar", label, number, track, change);
	let shown = null;
	const show = (value, maximum) => {
		number.textContent = `${plain(value)}/${plain(maximum)}`;
		fill.style.transform = `scaleX(${value / maximum})`;
		Object.assign(track, { ariaLabel: label.textContent, ariaValueMax: maximum, ariaValueNow: plain(value), ariaValueText: `${plain(value)} of ${plain(maximum)}` });
		shown = value;
	};
	const update = (bar) => {
		const maximum = Number(bar.maximum) > 0 ? Number(bar.maximum) : 1;
		const value = Math.min(Math.max(Number(bar.value) || 0, 0), maximum);
		label.textContent = String(bar.label || bar.name || "");
		fill.style.background = /^#[0-9a-f]{6}$/i.test(bar.colour || "") ? bar.colour : "var(--other)";
		if (shown !== null && shown !== value) {
			change.textContent = `${value > shown ? "+" : "−"}${plain(Math.abs(value - shown))}`;
			change.classList.remove("play");
			void change.offsetWidth; // Restarts the animation.
			change.classList.add("play");
		}
		show(value, maximum);
		filling.delete(node);
		const regain = Number(bar.regain_per_minute) || 0, since = performance.now();
		const now = () => Math.min(maximum, value + Math.floor(((performance.now() - since) / 60_000) * regain));
		if (regain > 0 && value < maximum) filling.set(node, () => { if (now() !== shown) show(now(), maximum); return now() < maximum; });
	};
	return { node, update };
}

const filling = new Map(); // the node of a bar that fills up by itself -> shows it as it is now

setInterval(() => {
	for (const [node, grow] of filling) if (!node.isConnected || !grow()) filling.delete(node);
}, 1000);

/** Bars in a container, each updated in place; `known` keeps them between calls. */
export function meters(container, known, bars) {
	const wanted = new Map((Array.isArray(bars) ? bars : []).map((bar) => [String(bar.name || bar.label), bar]));
	for (const [key, bar] of wanted) {
		if (!known.has(key)) {
			known.set(key, meter());
			container.append(known.get(key).node);
		}
		known.get(key).update(bar);
	}
	for (const [key, { node }] of known) {
		if (wanted.has(key)) continue;
		node.remove();
		known.delete(key);
	}
}

/** An http or https address, or null: no other scheme becomes a link. */
export function safeLink(address) {
	const { protocol, href } = Object.assign(document.createElement("a"), { href: address });
	return /^https?:$/.test(protocol) ? href : null;
}

export function anchor(selector, address, ...inside) {
	const href = address && safeLink(address);
	return href ? el(`a${selector}`, { href, target: "_blank", rel: "noopener noreferrer" }, inside) : el(`span${selector}`, inside);
}

/** A picture or sound, if its address is on this page's own origin. */
export const media = (tag, src, facts) => (src && safeLink(src)?.startsWith(`${location.origin}/`) ? el(tag, { ...facts, src }) : "");

const FORMATS = new Set(["p", "ul", "ol", "li", "blockquote", "pre", "code", "strong", "em", "s", "details", "summary"]);

/** Show of the sections beside a field what has its words in it. */
function search({ target }) {
	const wanted = target.value.toLowerCase();
	for (const each of target.parentElement.querySelectorAll("details, details p")) {
		each.hidden = !each.textContent.toLowerCase().includes(wanted);
		each.open = wanted !== "";
	}
}

const drawn = (parts, me) => parts.map((part) => {
	if (typeof part === "string") return part;
	const { tag, children = [], href, language, start } = part;
	if (tag === "a") return anchor("", href, drawn(children, me));
	if (tag === "mention") return el("bdi", { className: children[0].toLowerCase() === `@${me.toLowerCase()}` ? "mention to-me" : "mention" }, children);
	if (tag === "search") return el("input", { type: "search", placeholder: "Search", "aria-label": "Search in this message", oninput: search });
	if (tag === "try") return button(".link", children, () => $("text").dispatchEvent(new CustomEvent("try", { detail: href })));
	return el(FORMATS.has(tag) ? tag : "span", tag === "pre" && { tabIndex: 0, "data-language": language }, start && { start }, drawn(children, me));
});

/** A text: lines, or what the service has read in it. */
export const words = (text, formatted, me = "") => (formatted ? drawn(formatted, me) : text.split("\n").map((line) => el("p", line)));
