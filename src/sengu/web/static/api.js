// What the page asks of the server, and what it saves: one request after the other, and again until the disk has it.

import { alert, count, find, make } from "./dom.js";

export const state = { annotator: "", classes: [], kinds: [], rules: [], labelled: 0, canUndo: false, waiting: 0, saved: [] };
const MOST_WAITING = 100;
const AGAIN = 2000; // milliseconds
const CALM = 250; // milliseconds between two counts, which a quick hand would see flicker

async function answer(response) {
  const body = await response.text();
  let found = null;
  try {
    found = JSON.parse(body);
  } catch {
    found = { error: body.trim() };
  }
  if (!response.ok) throw Object.assign(new Error(found.error || response.statusText), { status: response.status });
  return found;
}

export const get = async (path) => answer(await fetch(path));

export const post = async (path, body) =>
  answer(await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }));

let last = Promise.resolve();

// Saves in the order of the keys. Resolves when the server has said that the disk has it.
export function save(path, body) {
  state.waiting += 1;
  show();
  const mine = last.then(() => attempt(path, body)).finally(() => {
    state.waiting -= 1;
    show();
  });
  last = mine.catch(() => {});
  return mine;
}

async function attempt(path, body) {
  for (;;) {
    try {
      const found = await post(path, body);
      alert(found.changed ? "Your sheet was changed by another program, such as git pull: it was read again, and nothing is lost." : "");
      Object.assign(state, { labelled: found.labelled, canUndo: found.canUndo });
      const now = performance.now();
      for (let number = 0; number < (found.saved || 0); number += 1) state.saved.push(now);
      return found;
    } catch (error) {
      if (error.status && error.status !== 507) {
        alert(`Not saved: ${error.message}`);
        throw error;
      }
      alert(`Not saved yet: ${error.message}. Trying again; keep this page open.`);
      await new Promise((resolve) => setTimeout(resolve, AGAIN));
    }
  }
}

export const isBusy = () => state.waiting >= MOST_WAITING;

let counting = 0;
let isStale = false;
export function show() {
  document.body.dataset.waiting = state.waiting;
  isStale = true;
  if (!counting) tell();
}

function tell() {
  isStale = false;
  counting = setTimeout(() => {
    counting = 0;
    if (isStale) tell();
  }, CALM);
  const minute = state.saved.filter((time) => performance.now() - time < 60000);
  state.saved = minute;
  const span = minute.length > 1 ? (performance.now() - minute[0]) / 1000 : 0;
  const rate = span > 5 ? `, ${count(Math.round((minute.length / span) * 3600))} an hour` : "";
  find("who").replaceChildren(
    make("b", {}, state.annotator),
    ` ${count(state.labelled)} labelled${rate}${state.waiting ? `, saving ${state.waiting}` : ""}`,
  );
}

addEventListener("beforeunload", (event) => {
  if (state.waiting) event.preventDefault();
});
