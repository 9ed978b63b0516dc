// What a reviewer looks at: dataset versions, the model's mistakes, conflicts, near-duplicates.

import { get, state } from "./api.js";
import { make } from "./dom.js";
import { address } from "./pictures.js";
import { propose } from "./side.js";

const tile = (id, text, act = null) =>
  make("li", {}, make("figure", {}, make("img", { src: address(id, 320), alt: "", loading: "lazy" }), make("figcaption", {}, text, act ? [" ", act] : null)));

export async function review(view) {
  view.replaceChildren(make("div", { class: "page" }, make("h1", {}, "Review"), make("p", { class: "soft" }, "Loading …")));
  const found = await get("/api/review");
  const example = (id, value) => make("button", { type: "button", onclick: () => propose(id, value, "") }, "Example …");
  view.replaceChildren(
    make(
      "div",
      { class: "page" },
      make("h1", {}, "Review"),
      make("p", { class: "soft" }, "A correction can become a worked example in RULES.md; Git shows it to everybody."),
      section("Label conflicts", "Annotators or tags differ, and nobody decided yet. Label them by the queue “Annotators differ”.", found.conflicts.length &&
        make("ul", { class: "pictures" }, found.conflicts.map((one) => tile(one.id, one.sides.map((side) => `${side.value} (${side.annotator || side.source}${side.rule ? `, ${side.rule}` : ""})`).join(", "), example(one.id, one.sides[0].value))))),
      section("Mistakes of the model", "Pictures of the test split, the surest mistakes first. A wrong label looks like a mistake, too.", found.mistakes.length &&
        make("ul", { class: "pictures" }, found.mistakes.map((one) => tile(one.id, `labelled ${one.label}, called ${one.called}: ${one.probability}`, example(one.id, one.label))))),
      section("Dataset versions", "", found.versions.length && found.versions.map(version)),
      section("Near-duplicates", "The largest groups. The queue “Near-duplicates, decided as one” labels each at once; its label can be taken back at once.", found.groups.length &&
        found.groups.map((group) => make("ul", { class: "pictures" }, group.slice(0, 12).map((id) => tile(id, ""))))),
    ),
  );
  return () => {};
}

function section(title, text, content) {
  return make("section", {}, make("h2", {}, title), text ? make("p", { class: "soft" }, text) : null, content || make("p", {}, "None."));
}

function version(one) {
  const most = Math.max(1, ...Object.values(one.classes));
  return [
    make("h3", {}, one.name),
    make("p", { class: "soft" }, `${one.rows} pictures. ` + (one.parents.length ? `From ${one.parents.join(" and ")}: ${one.added} added, ${one.removed} removed.` : "It has no parent.")),
    make("div", { class: "bars" }, Object.entries(one.classes).map(([name, count]) => [make("span", {}, name), make("meter", { max: most, value: count, "aria-label": `pictures of ${name}` }), make("span", {}, String(count))])),
    Object.entries(one.samples).map(([name, ids]) => [make("p", { class: "soft" }, `Some of ${name}`), make("ul", { class: "pictures" }, ids.map((id) => tile(id, "")))]),
  ];
}
