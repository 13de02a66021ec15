// The page: a question goes out, the answer comes in. The address of the page is the question, so
// that it can be shared, and going back asks the question before.

import { AnswerView } from "/page/answer.js";
import { ask, AskError, deep, explain } from "/page/events.js";
import { lightUp } from "/page/links.js";
import { follow } from "/page/live.js";
import { ReportView } from "/page/report.js";
import { Sources } from "/page/sources.js";
import { Watching } from "/page/watching.js";

const at = (id) => document.getElementById(id);
const form = at("form");
const places = [at("answer"), at("about"), new Sources(at("sources-section"), at("sources"))];
const view = new AnswerView(...places);
const report = new ReportView(...places);
const watching = new Watching(at("watching"), (told) => view.show(told, { link: () => address(told) }));
let asking = new AbortController();

form.addEventListener("submit", (event) => {
  event.preventDefault();
  go(read());
});
at("stop").addEventListener("click", () => asking.abort());

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

/** What the form asks, as an address of this page says it too. */
function read() {
  const fields = new FormData(form);
  const question = fields.get("q").trim();
  if (/^(https?|at):\/\/\S+$/.test(question)) return { explain: question };
  const asOf = fields.get("as_of");
  return {
    question,
    mode: fields.get("mode"),
    length: fields.get("length"),
    seconds: fields.get("form") === "report" ? Number(fields.get("seconds")) || 30 : 0,
    as_of: asOf ? `${asOf}Z` : "",
  };
}

/** The address of what is asked; `seconds` are of a report, `questions` are edited. */
function address({ question, mode, length, seconds, as_of: asOf, questions, explain: named }) {
  const query = new URLSearchParams(named ? { explain: named } : { q: question });
  if (mode && mode !== "regular") query.set("mode", mode);
  if (length && length !== "normal") query.set("length", length);
  if (seconds) query.set("report", seconds);
  if (asOf) query.set("as_of", asOf);
  if (questions?.length) query.set("questions", JSON.stringify(questions));
  return `/?${query}`;
}

/** What the address of the page asks. */
function written() {
  const query = new URLSearchParams(location.search);
  const asOf = query.get("as_of") ?? "";
  if (query.get("explain")) return { explain: query.get("explain"), as_of: asOf };
  const one = (name, known) => (known.includes(query.get(name)) ? query.get(name) : known[0]);
  return {
    question: query.get("q") ?? "",
    mode: one("mode", ["regular", "fun"]),
    length: one("length", ["normal", "short", "long"]),
    seconds: Number(query.get("report")) || 0,
    as_of: asOf,
    questions: list(query.get("questions")),
  };
}

/** The questions that an address holds: anybody may have written it. */
function list(json) {
  try {
    return JSON.parse(json) ?? [];
  } catch {
    return [];
  }
}

/** Ask, under an address of its own. */
function go(asked) {
  history.pushState(null, "", address(asked));
  answer(asked);
}

/** Ask what the address of the page says. */
function open() {
  const asked = written();
  form.elements.q.value = asked.explain ?? asked.question;
  form.elements.mode.value = asked.mode ?? "regular";
  form.elements.namedItem("length").value = asked.length ?? "normal";
  form.elements.form.value = asked.seconds ? "report" : "answer";
  if (asked.seconds) form.elements.seconds.value = asked.seconds;
  setMoment(asked.as_of);
  if (asked.question || asked.explain) {
    answer(asked);
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
  const title = asked.explain ? `Explained: ${asked.explain}` : asked.question;
  document.body.classList.add("asked");
  document.title = `${title} – fairwitness`;
  at("found").hidden = false;
  at("asked").textContent = title;
  at("stop").hidden = false;
  watching.end();
  const again = () => answer(asked);
  try {
    await (asked.explain ? explained : asked.seconds ? reported : answered)(asked, mine);
  } catch (error) {
    if (mine !== asking) return; // another question took its place
    const stopped = error.name === "AbortError";
    if (!stopped && !(error instanceof AskError)) throw error;
    if (asked.seconds && stopped && report.ended(true)) return;
    view.failed(stopped ? "Stopped." : error.message, again);
  } finally {
    if (mine === asking) at("stop").hidden = true;
  }
}

async function answered(asked, mine) {
  view.begin();
  const { seconds: _, questions = [], ...body } = asked;
  const offers = {
    link: () => address({ ...asked, as_of: offers.asOf }),
    askSo: (changed) => go({ ...asked, questions: changed }),
  };
  for await (const { name, data } of ask({ ...body, questions, explain: true }, mine.signal)) {
    if (mine.signal.aborted) return;
    if (name === "said") view.said(data);
    if (name === "finished") {
      offers.asOf = data.answer.as_of;
      view.finished(data, offers);
      const open = !asked.as_of && !questions.length && data.answer.standing !== "declined";
      if (open) watching.offer(asked);
    }
  }
}

async function reported({ question, mode, seconds, as_of }, mine) {
  view.begin(); // what fails before the first step is said there
  let begun = false;
  for await (const { data } of deep({ question, mode, seconds, as_of }, mine.signal)) {
    if (mine.signal.aborted) return;
    if (!begun) report.begin();
    begun = true;
    report.progressed(data);
  }
  report.ended(false);
}

async function explained({ explain: named, as_of: asOf }, mine) {
  view.begin();
  const told = await explain(named, asOf, mine.signal);
  view.show(told, { link: () => address({ explain: named, as_of: told.as_of }) });
}

lightUp(at("found"));
follow({ dot: at("live-dot"), line: at("live-line"), panel: at("live-panel"), streams: at("streams") });
open();
