// What stands beside a picture: rules, facts, and on request what others say of its class.

import { get, post, state } from "./api.js";
import { alert, link, make, say } from "./dom.js";
import { address } from "./pictures.js";

const WORDS = { site: "site", url: "address", page: "page", device: "device", operator: "operator", subject: "subject", taken: "taken", fetched: "fetched", camera: "camera", filename: "file" };

export class Side {
  constructor() {
    this.rule = "";
    this.id = "";
    this.rules = make("ul", { class: "rules" });
    this.about = make("div");
    this.others = make("div");
    this.note = make("textarea", { id: "note", "aria-label": "Note, kept with the next label", placeholder: "kept with the next label" });
    this.element = make(
      "aside",
      { class: "side", "aria-label": "Beside the picture", tabindex: "0" },
      make("section", {}, make("h2", {}, "Rules", make("kbd", { title: "Shift and a digit cite a rule" }, "⇧1")), this.rules),
      make("section", {}, make("h2", {}, "Note", make("kbd", {}, "N")), this.note),
      make("section", {}, make("h2", {}, "What others say", make("kbd", {}, "I")), this.others),
      make("section", {}, make("h2", {}, "About the picture"), this.about),
    );
    this.list();
  }

  list() {
    this.rules.replaceChildren(
      ...state.rules.map((rule) =>
        make(
          "li",
          {},
          make(
            "button",
            { type: "button", "aria-pressed": String(rule.name === this.rule), onclick: () => this.cite(rule.name) },
            make("b", {}, rule.name),
            make("span", {}, rule.title),
            make("p", {}, rule.text),
          ),
          rule.examples.length
            ? make("ul", { class: "few" }, rule.examples.slice(0, 4).map((one) => this.small(one.objectId, one.value, one.why)))
            : null,
        ),
      ),
    );
    if (!state.rules.length) this.rules.replaceChildren(make("li", { class: "soft" }, "RULES.md has no numbered rule yet."));
  }

  small(id, text, title = "") {
    return make("li", { title }, make("img", { src: address(id, 160), alt: "", loading: "lazy" }), make("span", {}, text));
  }

  cite(name) {
    this.rule = this.rule === name ? "" : name;
    this.list();
    say(this.rule ? `cites ${this.rule}` : "cites no rule");
  }

  citeByNumber(number) {
    if (state.rules[number]) this.cite(state.rules[number].name);
  }

  // The note for a label that is being saved, and the rule, which goes on counting until another is cited.
  take() {
    const note = this.note.value.trim();
    this.note.value = "";
    return { rule: this.rule, note };
  }

  async show(id) {
    this.id = id;
    this.others.replaceChildren(
      make("p", { class: "soft" }, "Hidden, so that it does not influence you. If you show it, your label counts as suggested."),
      make("button", { type: "button", onclick: () => this.ask() }, "Show"),
    );
    this.about.replaceChildren();
    const facts = await get(`/api/facts/${id}`).catch(() => null);
    if (!facts || this.id !== id) return;
    const rows = facts.seen.slice(0, 5).flatMap((seen) =>
      Object.entries(WORDS).filter(([name]) => seen[name]).map(([name, word]) => [word, name === "url" || name === "page" ? link(seen[name]) : seen[name]]),
    );
    this.about.replaceChildren(
      make("dl", {}, [["size", `${facts.width} × ${facts.height}, ${facts.format}`], ...rows, ["id", make("code", {}, id)]].map(([name, value]) => [make("dt", {}, name), make("dd", {}, value)])),
      facts.others ? make("p", { class: "soft" }, `${facts.others} near-duplicate${facts.others === 1 ? "" : "s"}`) : "",
      make("ul", { class: "few" }, facts.duplicates.map((id) => this.small(id, ""))),
    );
  }

  async ask() {
    const { id } = this;
    if (!id) return;
    const found = await post("/api/opinions", { id }).catch((error) => alert(error.message));
    if (!found || this.id !== id) return;
    const chances = Object.entries(found.model);
    this.others.replaceChildren(
      ...chances.map(([name, chance]) =>
        make("div", { class: "chance" }, name, make("meter", { value: chance, "aria-label": `the model says ${name}` }), String(chance)),
      ),
      make("dl", {}, make("dt", {}, "tags"), make("dd", {}, found.tags.join(", ") || "none"), found.words.map((word) => [make("dt", {}, word.annotator), make("dd", {}, `${word.value} ${word.rule} ${word.note}`)])),
      make("ul", { class: "few", "aria-label": "Similar pictures with labels" }, found.similar.slice(0, 8).map((one) => this.small(one.id, one.value, String(one.similarity)))),
    );
    say("Your label will count as suggested.");
  }
}

// Asks for what makes a picture a worked example of a rule.
export function propose(id, value, rule) {
  const rules = make("select", {}, state.rules.map((one) => make("option", { value: one.name, selected: one.name === rule }, `${one.name} ${one.title}`)));
  const classes = make("select", {}, state.classes.map((name) => make("option", { value: name, selected: name === value }, name)));
  const was = make("select", {}, make("option", { value: "" }, "nothing else"), state.classes.map((name) => make("option", { value: name }, name)));
  const why = make("input", { required: true, maxlength: 300 });
  const wrong = make("p", { class: "soft", role: "alert" });
  const dialog = make(
    "dialog",
    { "aria-labelledby": "proposed", onclose: () => dialog.remove() },
    make("h2", { id: "proposed" }, "Worked example for RULES.md"),
    make("div", { class: "form" }, make("label", {}, "Rule", rules), make("label", {}, "It is", classes), make("label", {}, "It could be taken for", was), make("label", {}, "Because", why)),
    wrong,
    make(
      "div",
      { class: "row" },
      make("button", { type: "button", class: "main", onclick: add }, "Add to RULES.md"),
      make("button", { type: "button", onclick: () => dialog.close() }, "Cancel"),
    ),
  );
  async function add() {
    try {
      state.rules = await post("/api/example", { id, rule: rules.value, value: classes.value, was: was.value, why: why.value });
      dialog.close();
      say("added to RULES.md");
    } catch (error) {
      wrong.textContent = error.message;
    }
  }
  document.body.append(dialog);
  dialog.showModal();
}
