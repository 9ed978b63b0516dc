// The entrance for pictures: as a script does, with the token of the entrance, and without the cookie.

import { post } from "./api.js";
import { make, say } from "./dom.js";

export async function upload(view) {
  const found = await post("/api/upload", {});
  const devices = make("select", { id: "device" }, found.devices.map((one) => make("option", {}, one)));
  const field = (name) => make("input", { id: name, maxlength: 80, autocomplete: "off" });
  const [operator, subject] = [field("operator"), field("subject")];
  const files = make("input", { type: "file", multiple: true, id: "files", onchange: () => send([...files.files]) });
  const folder = make("input", { type: "file", webkitdirectory: true, id: "folder", onchange: () => send([...folder.files]) });
  const done = make("progress", { value: 0, max: 1, "aria-label": "sent", hidden: true });
  const told = make("ul", { id: "told" });
  const drop = make(
    "div",
    { class: "drop" },
    make("p", { class: "big" }, "Drop pictures or a folder here"),
    make("div", { class: "row" }, make("label", {}, "or choose files ", files), make("label", {}, "or a folder ", folder)),
  );
  for (const name of ["dragover", "dragleave", "drop"]) {
    drop.addEventListener(name, async (event) => {
      event.preventDefault();
      drop.classList.toggle("over", name === "dragover");
      if (name === "drop") send(await dropped(event.dataTransfer));
    });
  }
  view.replaceChildren(
    make(
      "div",
      { class: "page" },
      make("h1", {}, "Upload"),
      make("p", { class: "soft" }, "Pictures go where the naming rule of their device says (upload in params.yaml). The next ", make("code", {}, "dvc repro"), " archives them."),
      found.devices.length
        ? [make("div", { class: "form" }, make("label", {}, "Device", devices), make("label", {}, "Operator", operator), make("label", {}, "Subject", subject)), drop, done, told]
        : make("p", { class: "warning" }, "No device is known: add a section `upload` to params.yaml, see docs/label-page.md."),
    ),
  );

  async function send(list) {
    done.hidden = false;
    done.max = list.length || 1;
    told.replaceChildren();
    let kept = 0;
    for (const [index, file] of list.entries()) {
      const form = new FormData();
      for (const [key, value] of [["device", devices.value], ["operator", operator.value], ["subject", subject.value]]) form.append(key, value);
      form.append("file", file, file.name);
      const answer = await fetch("/upload", { method: "POST", body: form, credentials: "omit", headers: { Authorization: `Bearer ${found.token}` } });
      const result = await answer.json().catch(() => ({ kept: [], refused: { [file.name]: answer.statusText } }));
      const names = result.kept ?? [];
      kept += names.length;
      for (const name of names) told.append(make("li", {}, name));
      for (const reason of Object.values(result.refused ?? { [file.name]: result.error })) told.append(make("li", { class: "warning" }, reason));
      done.value = index + 1;
    }
    say(`${kept} of ${list.length} kept`);
  }
}

async function dropped(transfer) {
  const found = [];
  const look = async (entry) => {
    if (entry.isFile) found.push(await new Promise((resolve, reject) => entry.file(resolve, reject)));
    else {
      const reader = entry.createReader();
      for (;;) {
        const part = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
        if (!part.length) break;
        for (const one of part) await look(one);
      }
    }
  };
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
  for (const entry of entries) await look(entry);
  return found;
}
