// Fifty pictures that a predecessor labelled, shown blind; at the end how far both agree.

import { post, state } from "./api.js";
import { classButtons, digit, isTyping, make } from "./dom.js";
import { Ahead, address, sizeFor } from "./pictures.js";

export function quiz(view) {
  const ahead = new Ahead(sizeFor(Math.min(innerWidth, 800)));
  const stage = make("div", { class: "stage", id: "stage", role: "img", "aria-label": "The picture of the question" });
  const where = make("p", { class: "soft", id: "place" });
  const page = make("div", { class: "page quiz" });
  let pictures = [];
  let place = 0;
  let predecessor = "";
  let isWaiting = false;
  view.replaceChildren(page);

  const words = make("p", { role: "alert" });
  page.replaceChildren(
    make("h1", {}, "Quiz"),
    make("p", { class: "big" }, "Label pictures that your predecessor labelled, without seeing what they said. At the end you see how far you agree, and where you do not, by which rule they decided."),
    make("button", { type: "button", class: "main", id: "begin", onclick: begin }, "Begin"),
    words,
  );

  async function begin() {
    try {
      const found = await post("/api/quiz", { predecessor: "" });
      ({ pictures, predecessor } = found);
      place = 0;
      page.replaceChildren(make("h1", { class: "hidden" }, "Quiz"), where, stage, classButtons(state.classes, answer));
      show();
    } catch (error) {
      words.textContent = error.message;
    }
  }

  function show() {
    where.textContent = `Question ${place + 1} of ${pictures.length}, labels of ${predecessor}`;
    const image = ahead.picture(pictures[place]);
    image.alt = "";
    stage.replaceChildren(image);
    stage.dataset.id = pictures[place];
    ahead.prepare(pictures.slice(place));
  }

  async function answer(number) {
    if (isWaiting || place >= pictures.length) return;
    isWaiting = true;
    try {
      const found = await post("/api/answer", { place, value: state.classes[number] });
      place += 1;
      if (found.result) result(found);
      else show();
    } catch (error) {
      where.textContent = `Not saved: ${error.message}`;
    } finally {
      isWaiting = false;
    }
  }

  function result(found) {
    page.replaceChildren(
      make("h1", {}, "Quiz: how far you agree"),
      make("p", { class: "big", id: "result" }, `${state.annotator} ${found.words}.`),
      make("p", { class: "soft" }, "The range in brackets is the 95% interval (Wilson). The answers are kept beside the sheets; ", make("code", {}, "sengu label check"), " and HANDOVER.md show them."),
      found.result.differing.length
        ? make("ul", { class: "pictures" }, found.result.differing.map((one) =>
            make("li", {}, make("figure", {}, make("img", { src: address(one.objectId, 320), alt: "" }),
              make("figcaption", {}, `you: ${one.value}; ${predecessor}: ${one.theirs} ${one.rule} ${one.note}`)))))
        : make("p", {}, "You agree on all of them."),
      make("button", { type: "button", class: "main", onclick: begin }, "Another quiz"),
    );
  }

  function pressed(event) {
    const number = digit(event);
    if (event.repeat || isTyping(event) || !pictures.length || number < 1 || number > state.classes.length) return;
    event.preventDefault();
    answer(number - 1);
  }
  document.addEventListener("keydown", pressed);
  return () => document.removeEventListener("keydown", pressed);
}
