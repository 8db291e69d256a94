// Dialogs that buttons and menu items open, and the menu of a message.

import { $, el } from "./dom.js";

const LONG = "textbox";

function field(component, index) {
  const id = `field-${index}`;
  const common = { id, name: component.label, required: Boolean(component.required), placeholder: component.placeholder || "" };
  let input;
  if (component.type === "dropdown") {
    input = el("select", { id, required: common.required }, (component.choices || []).map((choice) => el("option", { value: choice }, choice)));
  } else if (component.type === LONG) {
    input = el("textarea", { ...common, rows: 4 });
  } else {
    input = el("input", { ...common, type: { number: "number", password: "password" }[component.type] || "text", autocomplete: "off", step: "any" });
  }
  return { label: component.label, input, node: el("div", { className: "field" }, el("label", { for: id }, component.label + (component.required ? " *" : "")), input) };
}

/** Show a dialog; `send(arguments, bottomButtonId)` is called if it is submitted. */
export function openDialog(description, send) {
  const dialog = $("dialog");
  const fields = (description.components || []).map(field);
  const foot = description.bottom_buttons?.length ? description.bottom_buttons : [{ id: null, text: "Cancel", submit: false }, { id: null, text: "OK", submit: true }];
  let pressed = null;
  const buttons = foot.map((button) =>
    el("button", { type: button.submit ? "submit" : "button", className: button.submit ? "primary" : "plain",
      on: { click: () => { pressed = button.id; if (!button.submit) dialog.close(); } } }, button.text));
  const form = el("form", { on: { submit: (event) => {
    event.preventDefault();
    send(fields.map(({ label, input }) => ({ label, value: input.value })), pressed);
    dialog.close();
  } } }, el("h2", { id: "dialog-title" }, description.title || "Dialog"), fields.map(({ node }) => node), el("div", { className: "dialog-foot" }, buttons));
  dialog.replaceChildren(form);
  dialog.showModal();
}

/** Show a menu at an element; entries are `{text, run}`. Arrow keys move, Escape closes. */
export function openMenu(anchor, entries) {
  const menu = $("menu");
  const close = (focus) => {
    menu.hidden = true;
    anchor.setAttribute("aria-expanded", "false");
    removeEventListener("pointerdown", outside, true);
    if (focus) anchor.focus();
  };
  const outside = (event) => { if (!menu.contains(event.target)) close(false); };
  const items = entries.map(({ text, run }) => el("button", { type: "button", role: "menuitem", tabIndex: -1, on: { click: () => { close(true); run(); } } }, text));
  menu.replaceChildren(...items);
  menu.onkeydown = (event) => {
    const at = items.indexOf(document.activeElement);
    if (event.key === "Escape" || event.key === "Tab") { event.preventDefault(); close(true); }
    else if (event.key === "ArrowDown") { event.preventDefault(); items[(at + 1) % items.length].focus(); }
    else if (event.key === "ArrowUp") { event.preventDefault(); items[(at - 1 + items.length) % items.length].focus(); }
  };
  menu.hidden = false;
  anchor.setAttribute("aria-expanded", "true");
  const box = anchor.getBoundingClientRect();
  menu.style.top = `${Math.min(box.bottom + 4, innerHeight - menu.offsetHeight - 8)}px`;
  menu.style.left = `${Math.max(8, Math.min(box.right - menu.offsetWidth, innerWidth - menu.offsetWidth - 8))}px`;
  addEventListener("pointerdown", outside, true);
  items[0]?.focus();
}
