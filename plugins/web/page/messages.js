// The stream of messages: grouped by day and by sender, updated in place.

import { $, avatar, el, icon, inline, isOurs, rich, safeLink } from "./dom.js";

const TOGETHER = 5 * 60_000; // Messages of one sender that come closer than this stand in one group.
const time = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const date = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });

const dayOf = (message) => new Date(message.timestamp || Date.now()).toDateString();

function dayName(message) {
  const day = dayOf(message);
  if (day === new Date().toDateString()) return "Today";
  if (day === new Date(Date.now() - 86_400_000).toDateString()) return "Yesterday";
  return date.format(new Date(message.timestamp));
}

function size(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let at = 0;
  while (bytes >= 1000 && at < units.length - 1) { bytes /= 1000; at += 1; }
  return `${at ? bytes.toFixed(1) : bytes} ${units[at]}`;
}

function table({ columns = [], rows = [] }, caption) {
  const numeric = columns.map((_, at) => rows.length > 0 && rows.every((row) => typeof row[at] === "number"));
  const name = (column) => String(typeof column === "object" && column ? column.label ?? column.name ?? "" : column);
  const cell = (value, at) => el("td", { className: numeric[at] ? "numeric" : "" }, value === null || value === undefined ? "–" : String(value));
  return el("div", { className: "table", tabIndex: 0, role: "region", "aria-label": caption || "Table" },
    el("table", {}, el("thead", {}, el("tr", {}, columns.map((column, at) => el("th", { scope: "col", className: numeric[at] ? "numeric" : "" }, name(column))))),
      el("tbody", {}, rows.map((row) => el("tr", {}, row.map(cell))))));
}

function progress({ done = 0, total = 0, label = "" }) {
  const part = total > 0 ? Math.min(done / total, 1) : 0;
  const fill = el("span", { className: "fill" });
  fill.style.transform = `scaleX(${part})`;
  return el("div", { className: "progress" }, el("span", { className: "label" }, label),
    el("span", { className: "number" }, total > 0 ? `${done} of ${total}` : String(done)),
    el("span", { className: part < 1 ? "track going" : "track", role: "progressbar", "aria-label": label || "Progress", "aria-valuemin": 0, "aria-valuemax": total || 1, "aria-valuenow": Math.min(done, total || 1) }, fill));
}

function attachment(message) {
  const { path, link, filename, title } = message.content;
  const address = safeLink(path || link || "");
  const label = filename || title || path || link || "file";
  const bytes = message.content.size;
  const inside = [icon("file"), el("span", {}, label), bytes ? el("span", { className: "muted" }, size(bytes)) : null];
  return address && (path || link) ? el("a", { className: "file", href: address, target: "_blank", rel: "noopener noreferrer" }, inside) : el("span", { className: "file" }, inside);
}

function card(message) {
  const { title, text, link, button, path } = message.content;
  const address = link ? safeLink(link) : null;
  return el("div", { className: "card-message" },
    path && isOurs(path) ? el("img", { src: path, alt: "" }) : null,
    title ? el("strong", {}, title) : null, text ? rich(text) : null,
    address ? el("a", { className: "plain", href: address, target: "_blank", rel: "noopener noreferrer" }, button || "Open") : null);
}

function content(message, view) {
  const text = message.content.text || "";
  const context = message.context || {};
  const byPerson = !view.isService(message);
  const parts = [];
  if (context.command) parts.push(el("p", { className: "answers" }, el("code", {}, String(context.command))));
  if (message.subtype === "image" && message.content.path && isOurs(message.content.path)) {
    parts.push(el("img", { className: "picture", src: message.content.path, alt: text || message.content.filename || "Picture", loading: "lazy" }));
  } else if (["image", "file", "audio"].includes(message.subtype)) {
    parts.push(text ? el("p", {}, text) : null, attachment(message));
  } else if (message.subtype === "card") {
    parts.push(card(message));
  } else if (context.progress) {
    parts.push(progress({ label: text, ...context.progress }));
  } else if (context.table) {
    parts.push(text ? rich(text, { me: view.myName }) : null, table(context.table, text));
  } else if (byPerson) {
    parts.push(el("p", { className: "said" }, inline(text, { me: view.myName })));
  } else {
    parts.push(rich(text, { me: view.myName }));
  }
  return parts;
}

/** One message as an element. `view` knows the names, and what the menu of a message offers. */
function draw(message, view) {
  const context = message.context || {};
  const service = view.isService(message);
  const name = view.nameOf(message);
  const when = new Date(message.timestamp || Date.now());
  const stamp = el("time", { dateTime: when.toISOString(), title: when.toLocaleString() }, time.format(when));
  const classes = ["message"];
  if (service) classes.push("service");
  if (context.error) classes.push("error");
  if (message.pending) classes.push("pending");
  if (message.failed) classes.push("failed");
  const disc = service ? el("span", { className: "avatar of-service", "aria-hidden": "true" }, icon(context.error ? "alert" : "mark")) : avatar(message.sender, name);
  const head = el("div", { className: "head" }, el("span", { className: "name" }, name), stamp,
    message.private ? el("span", { className: "tag" }, "only you") : null, message.pending && !message.failed ? el("span", { className: "tag" }, "sending…") : null);
  const more = view.menuFor(message) ? el("button", { type: "button", className: "icon more", "aria-label": `Actions for the message of ${name}`, "aria-haspopup": "menu", "aria-expanded": "false",
    on: { click: (event) => view.openMenu(message, event.currentTarget) } }, icon("more")) : null;
  const foot = message.failed ? el("p", { className: "problem" }, `${message.failed} `,
    el("button", { type: "button", className: "link", on: { click: () => view.again(message) } }, "Edit and send again"), " ",
    el("button", { type: "button", className: "link", on: { click: () => view.discard(message) } }, "Discard")) : null;
  return el("article", { className: classes.join(" "), "aria-label": `${name}, ${time.format(when)}` }, disc,
    el("div", { className: "content" }, head, content(message, view), foot), more);
}

/** The log of one channel. Only what changes is touched, so that nothing jumps and screen readers hear each message once. */
export class Stream {
  constructor(view) {
    this.log = $("log");
    this.view = view;
    this.drawn = new Map(); // key -> {message, node}
    this.atEnd = true;
    this.unseen = 0;
    this.log.addEventListener("scroll", () => {
      this.atEnd = this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < 60;
      if (this.atEnd) this.unseen = 0;
      this.marker();
      if (this.log.scrollTop < 200) view.wantOlder();
    }, { passive: true });
    $("to-end").addEventListener("click", () => this.toEnd());
    new ResizeObserver(() => this.atEnd && this.toEnd()).observe(this.log);
  }

  /** Show these and nothing else, without reading them all out. */
  reset(messages) {
    this.log.setAttribute("aria-busy", "true");
    this.drawn.clear();
    this.log.replaceChildren();
    for (const message of messages) this.insert(message, null);
    this.empty();
    this.unseen = 0;
    this.toEnd();
    requestAnimationFrame(() => this.log.removeAttribute("aria-busy"));
  }

  empty() {
    const note = this.log.querySelector(".empty");
    if (this.drawn.size) note?.remove();
    else if (!note) this.log.append(el("p", { className: "empty" }, "Nothing was said here yet. Say hello, or type / for commands."));
  }

  /** Put older messages before the rest; what is on the screen stays where it is. */
  prepend(messages) {
    const before = this.log.firstElementChild;
    const height = this.log.scrollHeight - this.log.scrollTop;
    this.log.setAttribute("aria-busy", "true");
    for (const message of messages) this.insert(message, before);
    this.arrange();
    this.log.scrollTop = this.log.scrollHeight - height;
    requestAnimationFrame(() => this.log.removeAttribute("aria-busy"));
  }

  /** Show a message at the end, or in the place of the one with its key. */
  put(message) {
    const old = this.drawn.get(message.key);
    if (old) {
      const node = draw(message, this.view);
      node.classList.toggle("first", old.node.classList.contains("first"));
      old.node.replaceWith(node);
      this.drawn.set(message.key, { message, node });
    } else {
      this.insert(message, null);
      this.empty();
      if (!this.atEnd && !message.pending) { this.unseen += 1; this.marker(); }
    }
    if (this.atEnd || message.pending) this.toEnd();
  }

  remove(key) {
    this.drawn.get(key)?.node.remove();
    this.drawn.delete(key);
    this.arrange();
    this.empty();
    if (this.atEnd) this.toEnd();
  }

  insert(message, before) {
    const node = draw(message, this.view);
    node.dataset.key = message.key;
    const pending = before === null && !message.pending ? this.log.querySelector(".message.pending") : null;
    this.log.insertBefore(node, before || pending);
    this.drawn.set(message.key, { message, node });
    if (before === null && !pending) this.join(node, message);
    else if (pending) this.arrange();
  }

  /** Decide how a last message stands to the one above it. */
  join(node, message) {
    let above = node.previousElementSibling;
    while (above && !above.dataset.key) above = above.previousElementSibling;
    const previous = above ? this.drawn.get(above.dataset.key)?.message : null;
    if (!previous || dayOf(previous) !== dayOf(message)) {
      this.log.insertBefore(el("div", { className: "day", role: "separator", "aria-label": dayName(message) }, el("span", {}, dayName(message))), node);
    }
    node.classList.toggle("first", !previous || dayOf(previous) !== dayOf(message) || this.apart(previous, message));
  }

  apart(previous, message) {
    const special = (each) => Boolean(each.context?.command || each.context?.error || each.private);
    return previous.sender !== message.sender || message.timestamp - previous.timestamp > TOGETHER || special(message) || special(previous);
  }

  arrange() {
    for (const day of this.log.querySelectorAll(".day")) day.remove();
    for (const node of [...this.log.querySelectorAll(".message")]) this.join(node, this.drawn.get(node.dataset.key).message);
  }

  /** Draw all again, after names or menus changed. */
  refresh() {
    for (const [key, { message, node }] of this.drawn) {
      const fresh = draw(message, this.view);
      fresh.dataset.key = key;
      fresh.classList.toggle("first", node.classList.contains("first"));
      node.replaceWith(fresh);
      this.drawn.set(key, { message, node: fresh });
    }
  }

  toEnd() {
    this.log.scrollTop = this.log.scrollHeight;
    this.atEnd = true;
    this.unseen = 0;
    this.marker();
  }

  marker() {
    $("to-end").hidden = this.atEnd;
    $("to-end").lastElementChild.textContent = this.unseen ? `${this.unseen} new` : "Newest";
  }
}
