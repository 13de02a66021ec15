// The page: a question goes out, the answer comes in. The address of the page is the question, so
// that it can be shared, and going back asks the question before.

import { AnswerView } from "/page/answer.js";
import { ask, AskError } from "/page/events.js";
import { lightUp } from "/page/links.js";
import { follow } from "/page/live.js";
import { Sources } from "/page/sources.js";
import { Watching } from "/page/watching.js";

const at = (id) => document.getElementById(id);
const form = at("form");
const view = new AnswerView(at("answer"), at("about"), new Sources(at("sources-section"), at("sources")));
const watching = new Watching(at("watching"), (told) => view.show(told, () => address(told)));
let asking = new AbortController();

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const asked = read();
  history.pushState(null, "", address(asked));
  answer(asked);
});

at("then").addEventListener("click", () => {
  setMoment("", true);
  at("as-of").focus();
});
at("now").addEventListener("click", () => {
  setMoment("");
  at("then").focus();
});
addEventListener("popstate", open);
addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input:not([type=radio]), textarea");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    at("question").focus();
    at("question").select();
  }
  if (event.key === "Escape") {
    asking.abort();
    at("live").open = false;
  }
});
addEventListener("click", (event) => {
  if (!at("live").contains(event.target)) at("live").open = false;
});

/** Show the moment as of which is asked; with none, only the offer to choose one. */
function setMoment(asOf, choosing = false) {
  at("as-of").value = asOf.replace(/Z$/, "");
  at("when").hidden = !asOf && !choosing;
  at("then").hidden = !at("when").hidden;
}

/** What the form asks: {question, mode, as_of}. */
function read() {
  const fields = new FormData(form);
  const asOf = fields.get("as_of");
  return { question: fields.get("q").trim(), mode: fields.get("mode"), as_of: asOf ? `${asOf}Z` : "" };
}

/** The address of a question. */
function address({ question, mode, as_of: asOf }) {
  const query = new URLSearchParams({ q: question });
  if (mode !== "regular") query.set("mode", mode);
  if (asOf) query.set("as_of", asOf);
  return `/?${query}`;
}

/** Ask what the address of the page says. */
function open() {
  const query = new URLSearchParams(location.search);
  const question = query.get("q") ?? "";
  form.elements.q.value = question;
  form.elements.mode.value = query.get("mode") === "fun" ? "fun" : "regular";
  setMoment(query.get("as_of") ?? "");
  if (question) {
    answer({ question, mode: form.elements.mode.value, as_of: query.get("as_of") ?? "" });
  } else {
    asking.abort();
    watching.end();
    document.body.classList.remove("asked");
    at("found").hidden = true;
    document.title = "fairwitness";
    if (matchMedia("(hover: hover)").matches) form.elements.q.focus();
  }
}

async function answer(asked) {
  asking.abort();
  const mine = (asking = new AbortController());
  document.body.classList.add("asked");
  document.title = `${asked.question} – fairwitness`;
  at("found").hidden = false;
  at("asked").textContent = asked.question;
  view.begin();
  watching.end();
  try {
    for await (const { name, data } of ask(asked, mine.signal)) {
      if (mine.signal.aborted) return;
      if (name === "said") view.said(data);
      if (name === "finished") {
        view.finished(data, () => address(data.answer));
        if (!asked.as_of && data.answer.standing !== "declined") watching.offer(asked);
      }
    }
  } catch (error) {
    if (mine !== asking) return; // another question took its place
    if (error.name === "AbortError") view.failed("Stopped.", () => answer(asked));
    else if (error instanceof AskError) view.failed(error.message, () => answer(asked));
    else throw error;
  }
}

lightUp(at("found"));
follow({ dot: at("live-dot"), line: at("live-line"), panel: at("live-panel"), streams: at("streams") });
open();
