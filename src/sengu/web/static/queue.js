// The places of a queue, of which the server tells some at a time.

import { get, post, state } from "./api.js";
import { alert, count, make } from "./dom.js";

const PART = 400;

export class Queue {
  constructor(number, length, items) {
    Object.assign(this, { number, length, items: [] });
    this.take(0, items);
  }

  // The first places come with the queue, so that the first picture needs no second request.
  static async open(kind, where = "", value = 0) {
    const opened = await post("/api/queue", { kind, where, value });
    return new Queue(opened.queue, opened.length, opened.items);
  }

  take(start, items) {
    items.forEach((item, index) => {
      this.items[start + index] = { place: start + index, ...item };
    });
  }

  async load(start) {
    this.take(start, await get(`/api/queue/${this.number}?start=${start}&count=${PART}`));
  }

  // Sees to it that the places from here on are known, before they are needed.
  async fill(place) {
    const end = Math.min(place + PART / 2, this.length);
    if (end > this.items.length && !this.loading) {
      this.loading = this.load(this.items.length).finally(() => {
        this.loading = null;
      });
    }
    if (place >= this.items.length && place < this.length) await this.loading;
  }

  // How far a place is: "12 of 500,000".
  progress(place) {
    return `${count(Math.min(place, this.length))} of ${count(this.length)}`;
  }
}

const chosen = { kind: "random", where: "", value: 0 };

// The form above a view that says what to ask for; `open` gets the queue, or null where there is none, with the reason told.
export function chooser(kind, open, more = []) {
  chosen.kind = kind || chosen.kind;
  const kinds = make(
    "select",
    { id: "kind", onchange: () => start() },
    state.kinds.map((one) => make("option", { value: one.name, selected: one.name === chosen.kind }, one.title)),
  );
  const classes = make(
    "select",
    { id: "of", onchange: () => start() },
    state.classes.map((name, number) => make("option", { value: number, selected: number === chosen.value }, name)),
  );
  const where = make("input", { id: "where", value: chosen.where, placeholder: "width > 224", onchange: () => start() });
  const length = make("span", { class: "end", id: "place" });
  async function start() {
    const value = Number(classes.value);
    Object.assign(chosen, { kind: kinds.value, where: where.value, value });
    const queue = await Queue.open(chosen.kind, chosen.where, value).catch((error) => {
      alert(error.message);
      return null;
    });
    if (queue) alert("");
    await open(queue, chosen);
  }
  const form = make(
    "form",
    { class: "tools", onsubmit: (event) => { event.preventDefault(); start(); } },
    make("label", {}, "Ask for", kinds),
    make("label", {}, "Class", classes),
    make("label", {}, "Only where", where),
    more,
    length,
  );
  return { form, start, length };
}
