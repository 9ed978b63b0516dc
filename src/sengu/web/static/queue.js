// The places of a queue, of which the server tells some at a time.

import { get, post, state } from "./api.js";
import { make } from "./dom.js";

const PART = 400;

export class Queue {
  constructor(number, length) {
    Object.assign(this, { number, length, items: [] });
  }

  static async open(kind, where = "", value = 0) {
    const found = await post("/api/queue", { kind, where, value });
    const queue = new Queue(found.queue, found.length);
    await queue.load(0);
    return queue;
  }

  async load(start) {
    const found = await get(`/api/queue/${this.number}?start=${start}&count=${PART}`);
    found.forEach((item, index) => {
      this.items[start + index] = { place: start + index, ...item };
    });
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
}

const chosen = { kind: "random", where: "", value: 0 };

// The form above a view that says what to ask for.
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
  const where = make("input", { id: "where", value: chosen.where, placeholder: "site == 'x' and width > 224", onchange: () => start() });
  const length = make("span", { class: "end", id: "place" });
  async function start() {
    const value = Number(classes.value);
    Object.assign(chosen, { kind: kinds.value, where: where.value, value });
    await open(() => Queue.open(chosen.kind, chosen.where, value), chosen);
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
