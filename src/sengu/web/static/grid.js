// A page of pictures, nearly of one class: correct the few that are not, and accept the rest by one key.

import { isBusy, save, state } from "./api.js";
import { classButtons, digit, isTyping, key, make, say } from "./dom.js";
import { address, sizeFor } from "./pictures.js";
import { chooser } from "./queue.js";

const SIZES = [24, 60, 120];
const AHEAD = 1; // pages

export function grid(view) {
  let size = Number(localStorage.getItem("page size")) || SIZES[1];
  const sizes = make("select", { id: "size", onchange: () => { size = Number(sizes.value); localStorage.setItem("page size", size); show(); } }, SIZES.map((one) => make("option", { value: one, selected: one === size }, String(one))));
  const tools = chooser("class", open, [make("label", {}, "Page", sizes)]);
  const tiles = make("ul", { class: "tiles", role: "listbox", "aria-multiselectable": "true", "aria-label": "Pictures of the page", tabindex: "0", id: "tiles" });
  const classes = classButtons(state.classes, choose);
  const accept = make("button", { type: "button", class: "main", id: "accept", onclick: acceptPage }, make("kbd", { "aria-hidden": "true" }, "⏎"), " Accept the page");
  const acts = make("div", { class: "acts" }, key("U", "Undo", undo), key("S", "Skip the page", () => turn(1)), key("B", "Back", () => turn(-1)));
  let queue = null;
  let start = 0;
  let here = 0;
  let ofPage = 0; // the class of what is not touched
  let items = [];
  let drawn = new Set();

  view.replaceChildren(make("h1", { class: "hidden" }, "Label page by page"), tools.form, tiles, make("div", { class: "below" }, classes, acts, accept));

  async function open(opened, chosen) {
    queue = opened;
    ofPage = chosen.value;
    start = 0;
    await show();
  }

  async function show() {
    drawn = new Set();
    here = 0;
    if (queue) {
      await queue.fill(Math.min(start + size, queue.length) - 1);
      items = queue.items.slice(start, start + size);
    } else items = [];
    tools.length.textContent = queue ? queue.progress(start + items.length) : "";
    tiles.className = `tiles n${size}`;
    tiles.dataset.start = start;
    const pixels = sizeFor(size === 24 ? 220 : 130);
    tiles.replaceChildren(
      ...items.map((item, index) =>
        make("li", { class: "tile", role: "option", id: `tile${index}`, "data-index": index }, make("img", { src: address(item.id, pixels), alt: "", decoding: "async" }), make("span", { class: "name" })),
      ),
    );
    if (!items.length) tiles.replaceChildren(make("li", { class: "soft", role: "option", "aria-selected": "false" }, queue ? "This queue is done. Choose another above." : "Choose a queue above."));
    accept.disabled = !items.length;
    paint();
    tiles.focus({ preventScroll: true });
    if (queue) {
      await queue.fill(start + (AHEAD + 1) * size);
      for (const next of queue.items.slice(start + size, start + (AHEAD + 1) * size)) new Image().src = address(next.id, pixels);
    }
  }

  const valueOf = (item) => (item.touched === undefined ? state.classes[ofPage] : item.touched);

  function paint() {
    items.forEach((item, index) => {
      const tile = tiles.children[index];
      const value = valueOf(item);
      const number = state.classes.indexOf(value);
      tile.className = `tile c${number < 0 ? "" : number % 6}${item.touched === undefined ? "" : " touched"}${index === here ? " here" : ""}${drawn.has(index) ? " drawn" : ""}`;
      tile.setAttribute("aria-selected", String(drawn.has(index) || index === here));
      tile.setAttribute("aria-label", `picture ${index + 1} of ${items.length}: ${value || "no class fits"}${item.touched === undefined ? ", from the page" : ""}`);
      tile.querySelector(".name").textContent = value || "no class fits";
    });
    for (const [number, button] of [...classes.children].entries()) button.setAttribute("aria-pressed", String(number === ofPage));
    if (items.length) tiles.setAttribute("aria-activedescendant", `tile${here}`);
    else tiles.removeAttribute("aria-activedescendant");
  }

  const meant = () => (drawn.size ? [...drawn] : [here]);

  function touch(value) {
    for (const index of meant()) if (items[index]) items[index].touched = value;
    if (!drawn.size) here = Math.min(here + 1, items.length - 1);
    drawn = new Set();
    paint();
    scroll();
  }

  function choose(number) {
    if (drawn.size) return touch(state.classes[number]);
    ofPage = number;
    paint();
    say(`pictures you have not changed become ${state.classes[number]}`);
  }

  function toggle(index = here) {
    const item = items[index];
    if (!item) return;
    const others = state.classes.filter((name) => name !== state.classes[ofPage]);
    item.touched = item.touched === undefined ? others[0] : undefined;
    paint();
  }

  function acceptPage() {
    if (!items.length || isBusy()) return;
    const entries = items.map((item) => ({ place: item.place, value: valueOf(item), untouched: item.touched === undefined }));
    const count = entries.length;
    save("/api/label", { queue: queue.number, view: "grid", items: entries, rule: "", note: "" }).then(() => say(`${count} labels saved`), () => {});
    turn(1);
  }

  function turn(step) {
    if (!queue) return;
    start = Math.max(0, Math.min(start + step * size, queue.length));
    show();
  }

  async function undo() {
    const found = await save("/api/undo", {}).catch(() => null);
    if (!found) return;
    if (!found.undone.length) return say("there is nothing to undo");
    const place = queue ? queue.items.findIndex((item) => item.id === found.undone[found.undone.length - 1].id) : -1;
    if (place >= 0) {
      start = Math.floor(place / size) * size;
      await show();
    }
    say(`undone: ${found.undone.length} labels`);
  }

  const columns = () => getComputedStyle(tiles).gridTemplateColumns.split(" ").length;
  const scroll = () => tiles.children[here]?.scrollIntoView({ block: "nearest" });
  function go(step, extend) {
    const before = here;
    here = Math.max(0, Math.min(here + step, items.length - 1));
    if (extend) for (let index = Math.min(before, here); index <= Math.max(before, here); index += 1) drawn.add(index);
    else drawn = new Set();
    paint();
    scroll();
  }

  function pressed(event) {
    if (isTyping(event) || document.querySelector("dialog[open]")) return;
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns(), ArrowUp: -columns() };
    const number = digit(event);
    if (steps[event.code]) go(steps[event.code], event.shiftKey);
    else if (event.repeat) return;
    else if (number > 0 && number <= state.classes.length) touch(state.classes[number - 1]);
    else if (event.target.tagName === "BUTTON" && (event.code === "Space" || event.code === "Enter")) return;
    else if (event.code === "KeyX") touch("");
    else if (event.code === "Space") toggle();
    else if (event.code === "Enter") acceptPage();
    else if (event.code === "KeyU") undo();
    else if (event.code === "KeyS") turn(1);
    else if (event.code === "KeyB") turn(-1);
    else if (event.code === "Escape") { drawn = new Set(); paint(); } else return;
    event.preventDefault();
  }

  let from = null;
  const indexOf = (event) => {
    const tile = document.elementFromPoint(event.clientX, event.clientY)?.closest(".tile");
    return tile ? Number(tile.dataset.index) : null;
  };
  tiles.addEventListener("pointerdown", (event) => { if (event.button === 0) from = { index: indexOf(event), moved: false }; });
  tiles.addEventListener("pointermove", (event) => {
    const index = from && indexOf(event);
    if (!from || from.index === null || index === null || (index === from.index && !from.moved)) return;
    from.moved = true;
    const width = columns();
    const [rows, cells] = [[from.index, index].map((one) => Math.floor(one / width)), [from.index, index].map((one) => one % width)];
    drawn = new Set([...items.keys()].filter((one) => {
      const [row, cell] = [Math.floor(one / width), one % width];
      return row >= Math.min(...rows) && row <= Math.max(...rows) && cell >= Math.min(...cells) && cell <= Math.max(...cells);
    }));
    here = index;
    paint();
  });
  const released = () => {
    if (from && !from.moved && from.index !== null) {
      here = from.index;
      toggle();
    }
    from = null;
  };
  tiles.addEventListener("pointerup", released);
  tiles.addEventListener("pointercancel", () => { from = null; });
  document.addEventListener("keydown", pressed);
  tools.start();
  return () => document.removeEventListener("keydown", pressed);
}
