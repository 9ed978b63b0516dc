// What a reviewer looks at: dataset versions, the model's mistakes, conflicts, near-duplicates.

import { get, post } from "./api.js";
import { alert, count, make, say } from "./dom.js";
import { address } from "./pictures.js";
import { propose } from "./side.js";

const tile = (id, text, act = null) =>
  make("li", {}, make("figure", {}, make("img", { src: address(id, 320), alt: "", loading: "lazy" }), make("figcaption", {}, text, act ? [" ", act] : null)));

// One side of a conflict on lines of its own: its class, and who or which page says so, broken behind slashes only.
const side = ({ value, annotator, source, rule }) =>
  make("span", { class: "side" }, make("b", {}, value || "no class fits"), make("small", { class: "soft" }, [annotator || source.replace(/^https?:\/\//, "").replace(/\//g, "/\u200b"), rule].filter(Boolean).join(", ")));

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
        make("ul", { class: "pictures" }, found.conflicts.map((one) => tile(one.id, one.sides.map(side), example(one.id, one.sides.map((said) => said.value).find(Boolean)))))),
      section("Mistakes of the model", "Pictures of the test split, the most confident mistakes first. Some may be wrong labels rather than mistakes.", found.mistakes.length &&
        make("ul", { class: "pictures" }, found.mistakes.map((one) => tile(one.id, `labelled ${one.label}, called ${one.called}: ${one.probability}`, example(one.id, one.label))))),
      section("Dataset versions", "", found.versions.length && [tree(found.versions), found.versions.map(version)]),
      section("Near-duplicates", "The largest groups that nobody has looked at. Confirm that a group shows one picture, or mark those that do not belong and split them off. The decision is kept in duplicate_groups.csv; the next dvc repro heeds it.", found.groups.length &&
        found.groups.map((one) => group(one))),
    ),
  );
  return () => {};
}

// A group of near-duplicates: its pictures are marked by a press; what stays and what is split off can be looked at again.
function group({ ids, count: size }, settled = "") {
  const words = make("p", { class: "soft", role: "status" }, settled || `${size} pictures${ids.length < size ? `, of which ${ids.length} are shown` : ""}`);
  const marks = ids.map((id, index) =>
    make("button", { type: "button", class: "mark", "aria-pressed": "false", "aria-label": `picture ${index + 1} of ${size} does not belong`, "data-id": id, onclick: (event) => mark(event.currentTarget) },
      make("img", { src: address(id, 320), alt: "", loading: "lazy" })));
  const marked = () => marks.filter((button) => button.getAttribute("aria-pressed") === "true").map((button) => button.dataset.id);
  const confirm = make("button", { type: "button", class: "main", onclick: () => settle([]) }, "All show one picture");
  const split = make("button", { type: "button", disabled: true, onclick: () => settle(marked()) }, "Split off the marked");
  const element = make("div", { class: "group" }, words, make("ul", { class: "pictures" }, marks.map((button) => make("li", {}, button))), size > 1 ? make("div", { class: "row" }, confirm, split) : null);

  function mark(button) {
    button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
    const number = marked().length;
    split.disabled = !number || number === size;
    confirm.disabled = number > 0;
  }

  async function settle(apart) {
    try {
      const parts = await post("/api/group", { id: ids[0], apart });
      alert("");
      element.replaceWith(...parts.map((part) => group(part, parts.length > 1 ? `Split: a part of ${part.count}` : `Confirmed: ${part.count} pictures`)));
      say(parts.length > 1 ? `split into ${parts[0].count} and ${parts[1].count}` : "confirmed");
    } catch (error) {
      alert(`Not saved: ${error.message}`);
    }
  }
  return element;
}

function section(title, text, content) {
  return make("section", {}, make("h2", {}, title), text ? make("p", { class: "soft" }, text) : null, content || make("p", {}, "None."));
}

// The family tree: each version below its parents; below each of them, if it has several.
function tree(versions, parent = null) {
  const names = versions.map((one) => one.name);
  const children = versions.filter((one) => (parent === null ? !one.parents.some((name) => names.includes(name)) : one.parents.includes(parent)));
  return children.length ? make("ul", { class: "tree" }, children.map((one) => make("li", {}, `${one.name} (${count(one.rows)})`, tree(versions, one.name)))) : null;
}

function version(one) {
  const most = Math.max(1, ...Object.values(one.classes));
  return [
    make("h3", {}, one.name),
    make("p", { class: "soft" }, `${one.rows} pictures. ` + (one.parents.length ? `From ${one.parents.join(" and ")}: ${one.added} added, ${one.removed} removed, ${one.relabelled} of another class.` : "It has no parent.")),
    make("div", { class: "bars" }, Object.entries(one.classes).map(([name, count]) => [make("span", {}, name), make("meter", { max: most, value: count, "aria-label": `pictures of ${name}` }), make("span", {}, String(count))])),
    Object.entries(one.samples).map(([name, ids]) => [make("p", { class: "soft" }, `Some of ${name}`), make("ul", { class: "pictures" }, ids.map((id) => tile(id, "")))]),
  ];
}
