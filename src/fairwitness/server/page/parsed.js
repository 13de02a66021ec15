// The question as it was understood, to be read, changed, and asked so.

import { foreign, make } from "/page/dom.js";
import { count } from "/page/text.js";

const ASKS = ["who", "how_many", "when", "where", "why", "whether", "happening", "what", "summary"];
const LISTS = ["words", "names", "phrases", "handles", "speakers", "numbers", "among"];
const TIMES = ["since", "until"];

/** A form that shows `explained`; `askSo` is given its questions when they are to be asked so. */
export function understood(explained, askSo) {
  if (!explained?.questions.length) return null;
  const form = make("form", "parsed", {});
  const fields = explained.questions.map((question, place) => fieldset(question, place));
  const searches = explained.searches.map((search) => make(
    "p", "", {},
    `${search.read} of ${count(search.posts, "post", "posts")} read, ${search.spans} sentences about it: `,
    search.rounds.map(({ how, found }) => `${found} by ${how}`).join(", "),
  ));
  const ask = make("button", "plain", { type: "submit" }, "Ask it so");
  form.append(...fields.map(({ element }) => element), ask, ...searches);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    askSo(fields.map(({ read }) => read()));
  });
  const title = make("summary", "", {}, "How the question was understood");
  return make("details", "understood", {}, title, form);
}

function fieldset(question, place) {
  const inputs = new Map();
  const row = (name, input) => {
    input.id = `parsed-${place}-${name}`;
    inputs.set(name, input);
    return [make("label", "", { htmlFor: input.id }, name), input];
  };
  const asks = make("select", "", {}, ...ASKS.map((each) => make("option", "", { value: each }, each.replace("_", " "))));
  asks.value = question.asks;
  const rows = [
    ...row("asks", asks),
    ...LISTS.flatMap((name) => row(name, text(question[name].join("; ")))),
    ...TIMES.flatMap((name) => row(name, text(question[name]))),
  ];
  const element = make("fieldset", "", {}, foreign("legend", "", question.question), ...rows);
  const read = () => ({
    ...question,
    asks: asks.value,
    ...Object.fromEntries(LISTS.map((name) => [name, list(inputs.get(name).value)])),
    ...Object.fromEntries(TIMES.map((name) => [name, inputs.get(name).value.trim()])),
  });
  return { element, read };
}

function text(value) {
  return make("input", "", { type: "text", value, dir: "auto" });
}

function list(value) {
  return value.split(";").map((each) => each.trim()).filter(Boolean);
}
