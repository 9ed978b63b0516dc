// One picture at a time: a digit labels it and shows the next.

import { isBusy, save, state } from "./api.js";
import { classButtons, digit, find, isTyping, key, make, say } from "./dom.js";
import { AHEAD, Ahead, address, sizeFilling } from "./pictures.js";
import { chooser } from "./queue.js";
import { propose, Side } from "./side.js";

export function single(view, kind = "") {
  const side = new Side();
  const tag = make("span", { class: "tag", hidden: true });
  const stage = make("div", { class: "stage", id: "stage", tabindex: "0", role: "img", "aria-label": "The picture to label" });
  const classes = classButtons(state.classes, decide);
  const acts = make(
    "div",
    { class: "acts", role: "group", "aria-label": "Actions" },
    key("U", "Undo", undo),
    key("S", "Skip", () => move(1)),
    key("B", "Back", () => move(-1)),
    key("X", "No class fits", () => decide(-1)),
    key("Z", "Zoom", zoom, { "aria-pressed": "false", id: "zoom" }),
    key("I", "What others say", ask),
    key("N", "Note", () => side.note.focus()),
    key("E", "Example", example),
    key("?", "Keys", help),
  );
  const tools = chooser(kind, open);
  let queue = null;
  let place = 0;
  let extra = null; // a picture that is shown out of turn, since its label was taken back
  const decided = []; // what was labelled here, for undo to go back to: item and place

  view.replaceChildren(
    make("h1", { class: "hidden" }, "Label one by one"),
    tools.form,
    make("div", { class: "desk" }, make("div", { class: "work" }, stage, classes, acts), side.element),
  );

  const ahead = new Ahead(sizeFilling(stage));
  const item = () => extra || (queue && queue.items[place]);

  function open(opened) {
    queue = opened;
    place = 0;
    extra = null;
    decided.length = 0;
    show();
  }

  let settled = 0;
  let isBegun = false; // is the first picture there?
  function show() {
    const one = item();
    tools.length.textContent = queue ? queue.progress(place + 1) : "";
    stage.classList.remove("zoomed");
    find("zoom")?.setAttribute("aria-pressed", "false");
    const value = one && one.value;
    for (const button of classes.children) button.setAttribute("aria-pressed", String(button.dataset.class === value));
    tag.hidden = !one || (!one.others && value === undefined);
    if (!one) {
      stage.replaceChildren(make("p", { class: "words" }, queue ? "This queue is done. Choose another above." : "Choose a queue above."));
      stage.dataset.id = "";
      return;
    }
    tag.textContent = [one.others ? `one of ${one.others + 1} near-duplicates, decided together` : "", value === undefined ? "" : value || "no class fits"].filter(Boolean).join(": ");
    tag.hidden = !tag.textContent;
    const image = ahead.picture(one.id);
    image.alt = "";
    stage.replaceChildren(tag, image);
    stage.dataset.id = one.id;
    clearTimeout(settled);
    settled = setTimeout(() => {
      if (item() !== one) return;
      side.show(one.id);
    }, 120);
    // the first picture before those after it, which would take its share of the connections and of the processor
    Promise.all([queue?.fill(place), isBegun || image.ready]).then(() => {
      if (item() !== one || !queue) return;
      isBegun = true;
      ahead.prepare(queue.items.slice(place, place + AHEAD + 1).map((next) => next.id));
    });
    image.ready.then(() => {
      if (item() === one && !image.naturalWidth) stage.replaceChildren(tag, make("p", { class: "words" }, "This picture cannot be shown."));
    });
  }

  async function move(step) {
    if (!queue) return;
    if (extra) {
      extra = null;
      return show();
    }
    place = Math.max(0, Math.min(place + step, queue.length));
    await queue.fill(place);
    show();
  }

  function decide(number) {
    const one = item();
    if (!one || !queue || isBusy()) return;
    const value = number < 0 ? "" : state.classes[number];
    const { rule, note } = side.take();
    const before = one.value;
    one.value = value;
    decided.push({ one, place, extra, before });
    const entry = extra ? { place: -1, id: one.id, value } : { place: one.place, value };
    save("/api/label", { queue: queue.number, view: "single", items: [entry], rule, note }).then(
      () => say(`${value || "no class fits"}, saved`),
      () => {
        one.value = before;
        show();
      },
    );
    if (extra) extra = null;
    else place += 1;
    if (queue.items[place] || place >= queue.length) show();
    else queue.fill(place).then(show);
  }

  async function undo() {
    const found = await save("/api/undo", {}).catch(() => null);
    if (!found) return;
    if (!found.undone.length) return say("there is nothing to undo");
    const last = decided.pop();
    if (last && found.undone.some((one) => one.id === last.one.id)) {
      last.one.value = last.before;
      ({ place, extra } = last);
    } else {
      decided.length = 0;
      extra = { id: found.undone[0].id, value: found.undone[0].value || undefined };
    }
    show();
    say(`undone: ${found.undone.length} labels`);
  }

  function zoom() {
    const one = item();
    if (!one) return;
    const isZoomed = stage.classList.toggle("zoomed");
    find("zoom").setAttribute("aria-pressed", String(isZoomed));
    if (isZoomed) stage.replaceChildren(make("img", { src: address(one.id, 2560), alt: "" }));
    else show();
  }

  // Of the picture that is shown, even if a quick hand asks before the side has come after it.
  function ask() {
    const one = item();
    if (!one) return;
    if (side.id !== one.id) {
      clearTimeout(settled);
      side.show(one.id);
    }
    side.ask();
  }

  function example() {
    const one = item();
    if (one) propose(one.id, one.value || state.classes[0], side.rule);
  }

  const KEYS = { KeyU: undo, KeyS: () => move(1), ArrowRight: () => move(1), KeyB: () => move(-1), ArrowLeft: () => move(-1), KeyX: () => decide(-1), KeyZ: zoom, KeyI: ask, KeyE: example };
  function pressed(event) {
    if (event.repeat || document.querySelector("dialog[open]")) return;
    if (event.code === "Escape" && event.target === side.note) return stage.focus();
    if (isTyping(event)) return;
    const number = digit(event);
    if (event.shiftKey && number > 0) side.citeByNumber(number - 1);
    else if (number > 0 && number <= state.classes.length) decide(number - 1);
    else if (event.code === "KeyN") side.note.focus();
    else if (event.key === "?") help();
    else if (KEYS[event.code] && !event.shiftKey) KEYS[event.code]();
    else return;
    event.preventDefault();
  }
  document.addEventListener("keydown", pressed);
  tools.start();
  return () => {
    clearTimeout(settled);
    document.removeEventListener("keydown", pressed);
  };
}

export function help() {
  const rows = [
    ["1 … 9", "label, and show the next"], ["⇧ 1 … 9", "cite a rule"], ["S →", "skip"], ["B ←", "back"], ["U", "undo, without limit"], ["X", "no class fits, or more than one does"],
    ["Z", "zoom"], ["N", "note, Esc to leave it"], ["I", "what others say"], ["E", "propose a worked example"],
    ["grid: arrows", "move"], ["grid: space", "toggle"], ["grid: Enter", "accept the page"],
  ];
  const dialog = make(
    "dialog",
    { "aria-labelledby": "keys", onclose: () => dialog.remove() },
    make("h2", { id: "keys" }, "Keys"),
    make("dl", { class: "keys" }, rows.map(([name, text]) => [make("dt", {}, make("kbd", {}, name)), make("dd", {}, text)])),
    make("p", {}),
    make("button", { type: "button", class: "main", onclick: () => dialog.close() }, "Close"),
  );
  document.body.append(dialog);
  dialog.showModal();
}
