// Begins the page, and shows the view that the address names.

import { get, show, state } from "./api.js";
import { alert, find, make } from "./dom.js";
import { grid } from "./grid.js";
import { quiz } from "./quiz.js";
import { review } from "./review.js";
import { single } from "./single.js";
import { upload } from "./upload.js";

const VIEWS = { single: ["One by one", single], grid: ["Grid", grid], quiz: ["Quiz", quiz], review: ["Review", review], upload: ["Upload", upload] };
let leave = () => {};

async function route() {
  const name = VIEWS[location.hash.slice(1)] ? location.hash.slice(1) : "single";
  find("views").replaceChildren(
    ...Object.entries(VIEWS).map(([one, [title]]) => make("a", { href: `#${one}`, "aria-current": one === name ? "page" : null }, title)),
  );
  document.title = `Sengu: ${VIEWS[name][0]}`;
  leave();
  leave = (await VIEWS[name][1](find("view"))) || (() => {});
}

try {
  Object.assign(state, await get("/api/start"));
  show();
  addEventListener("hashchange", route);
  await route();
} catch (error) {
  alert(`Sengu does not answer: ${error.message}`);
}
