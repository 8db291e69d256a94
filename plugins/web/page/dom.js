// Small tools for building the page. Text only ever becomes text: nothing here takes HTML.

export const $ = (id) => document.getElementById(id);

/** An element; properties are set as properties, `data-`, `aria-` and `role` as attributes, children that are strings become text. */
export function el(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.includes("-") || name === "role" || name === "for") node.setAttribute(name, value);
    else if (name === "on") for (const [event, handler] of Object.entries(value)) node.addEventListener(event, handler);
    else node[name] = value;
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
}

const SVG = "http://www.w3.org/2000/svg";

/** An icon of the sprite in index.html. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#i-${name}`);
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

function hash(text) {
  let sum = 7;
  for (const letter of text) sum = (sum * 31 + letter.codePointAt(0)) >>> 0;
  return sum;
}

/** A disc with initials, in a colour that stays the same for an id. */
export function avatar(id, name) {
  const parts = name.split(/[-_.\s]+/).filter(Boolean);
  const letters = (parts.length > 1 ? [...parts[0]][0] + [...parts[1]][0] : [...name].slice(0, 2).join("")) || "?";
  return el("span", { className: `avatar tint-${hash(id) % 8}`, "aria-hidden": "true" }, letters.toUpperCase());
}

const NAMED = { health: "health", mana: "mana", stamina: "stamina" };
const COLOUR = /^#[0-9a-f]{6}$/i;

/** A bar with its label and number; `update` animates it to new values. */
export function meter(bar) {
  const fill = el("span", { className: "fill" });
  const track = el("span", { className: "track", role: "meter", "aria-valuemin": 0 }, fill);
  const number = el("span", { className: "number" });
  const change = el("span", { className: "change", "aria-hidden": "true" });
  const label = el("span", { className: "label" });
  const node = el("div", { className: "bar" }, label, track, number, change);
  let shown = null;
  const update = (next) => {
    const maximum = Number(next.maximum) > 0 ? Number(next.maximum) : 1;
    const value = Math.min(Math.max(Number(next.value) || 0, 0), maximum);
    const name = String(next.label || next.name || "");
    label.textContent = name;
    number.textContent = `${plain(value)}/${plain(maximum)}`;
    node.dataset.kind = NAMED[String(next.name || name).toLowerCase()] || `other-${hash(name) % 4}`;
    if (COLOUR.test(next.colour || "")) fill.style.backgroundColor = next.colour;
    fill.style.transform = `scaleX(${value / maximum})`;
    track.setAttribute("aria-label", name);
    track.setAttribute("aria-valuemax", maximum);
    track.setAttribute("aria-valuenow", plain(value));
    track.setAttribute("aria-valuetext", `${plain(value)} of ${plain(maximum)}`);
    if (shown !== null && shown !== value) {
      change.textContent = value > shown ? `+${plain(value - shown)}` : `−${plain(shown - value)}`;
      change.classList.remove("play");
      void change.offsetWidth; // Restarts the animation.
      change.classList.add("play");
    }
    shown = value;
  };
  update(bar);
  return { node, update };
}

/** Bars in a container, each updated in place, so that they move instead of jumping. */
export function meters(container, known, bars) {
  const seen = new Set();
  for (const bar of Array.isArray(bars) ? bars : []) {
    const key = String(bar.name || bar.label);
    seen.add(key);
    if (known.has(key)) known.get(key).update(bar);
    else {
      known.set(key, meter(bar));
      container.append(known.get(key).node);
    }
  }
  for (const [key, made] of known) if (!seen.has(key)) { made.node.remove(); known.delete(key); }
}

function plain(number) {
  return String(Math.round(number * 10) / 10);
}

/** An http or https address, or null: no other scheme becomes a link. */
export function safeLink(address) {
  try {
    const url = new URL(address, location.href);
    return url.protocol === "http:" || url.protocol === "https:" ? url.href : null;
  } catch { return null; }
}

/** Whether an address is on this page's own origin; only such pictures are shown. */
export const isOurs = (address) => { const safe = safeLink(address); return safe !== null && new URL(safe).origin === location.origin; };

const INLINE = /(\*\*[^*\n]+\*\*|`[^`\n]+`|\*[^*\n]+\*|@[\p{L}\p{N}_.'’·-]+|https?:\/\/[^\s<>"')\]]+)/u;

/** Text with mentions and links; with `rich`, also **bold**, *italic* and `code`. */
export function inline(text, { rich = false, me = "" } = {}) {
  return text.split(INLINE).map((part, index) => {
    if (index % 2 === 0) return part;
    if (part.startsWith("http")) return el("a", { href: safeLink(part) ?? "#", target: "_blank", rel: "noopener noreferrer" }, part);
    if (part.startsWith("@")) return el("span", { className: part.slice(1).toLowerCase() === me.toLowerCase() ? "mention to-me" : "mention" }, part);
    if (!rich) return part;
    if (part.startsWith("**")) return el("strong", {}, part.slice(2, -2));
    if (part.startsWith("`")) return el("code", {}, part.slice(1, -1));
    return el("em", {}, part.slice(1, -1));
  });
}

/** The Markdown subset of service messages: paragraphs, lists, code blocks and what `inline` knows. */
export function rich(text, options) {
  const blocks = [];
  let list = null;
  for (const part of text.split(/(```[\s\S]*?```)/)) {
    if (part.startsWith("```") && part.length >= 6) {
      blocks.push(el("pre", { tabIndex: 0 }, part.slice(3, -3).replace(/^\w*\n/, "").trimEnd()));
      continue;
    }
    for (const line of part.split("\n")) {
      const item = /^\s*[-*•]\s+(.*)$/.exec(line);
      if (item) {
        if (!list) blocks.push((list = el("ul")));
        list.append(el("li", {}, inline(item[1], { ...options, rich: true })));
        continue;
      }
      list = null;
      if (line.trim()) blocks.push(el("p", {}, inline(line, { ...options, rich: true })));
    }
    list = null;
  }
  return blocks;
}
