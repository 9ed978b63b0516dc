// Elements without markup in texts: what comes from a sheet, an address or a file name is only ever text.

export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "class") element.className = value;
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(key, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const find = (id) => document.getElementById(id);

const numbers = new Intl.NumberFormat("en");
export const count = (number) => numbers.format(number);

export function say(text) {
  find("said").textContent = text;
}

export function alert(text) {
  const place = find("alert");
  place.textContent = text;
  place.hidden = !text;
}

// A link only where it leads to the web; anything else, such as javascript:, is text.
export function link(address, text = address) {
  return /^https?:\/\//i.test(address) ? make("a", { href: address, rel: "noreferrer noopener", target: "_blank" }, text) : address;
}

export const isTyping = (event) =>
  event.isComposing || event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);

// The digit of a key by its place, whatever the layout makes of it; -1 for another key.
export function digit(event) {
  const match = /^(?:Digit|Numpad)([0-9])$/.exec(event.code);
  return match ? Number(match[1]) : -1;
}

export function key(name, text, act, attributes = {}) {
  return make("button", { type: "button", onclick: act, ...attributes }, make("kbd", { "aria-hidden": "true" }, name), text);
}

export function classButtons(classes, choose) {
  return make(
    "div",
    { class: "classes", role: "group", "aria-label": "Class" },
    classes.map((name, number) =>
      make(
        "button",
        { type: "button", class: `c${number % 6}`, "aria-pressed": "false", "data-class": name, onclick: () => choose(number) },
        number < 9 ? make("kbd", { "aria-hidden": "true" }, String(number + 1)) : null,
        name,
      ),
    ),
  );
}
