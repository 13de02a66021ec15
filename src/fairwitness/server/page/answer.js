// The answer as it comes: quotes as quotes, claims as ours, disputes side by side, and when nobody
// witnessed anything, that.

import { foreign, make } from "/page/dom.js";
import { understood } from "/page/parsed.js";
import { dispute, facts, shown, spread, standing } from "/page/said.js";
import { count, duration, moment } from "/page/text.js";

export class AnswerView {
  constructor(answer, about, sources) {
    this.answer = answer;
    this.about = about;
    this.sources = sources;
  }

  /** Begin a new answer. */
  begin() {
    this.headings = new Map();
    this.waiting = make("div", "waiting", { role: "status" }, ...dots());
    this.answer.replaceChildren(this.waiting);
    this.answer.setAttribute("aria-busy", "true");
    this.about.replaceChildren();
    this.sources.clear();
  }

  /** Show a sentence that has just been verified, and its sources. */
  said({ sentence, sources }) {
    sources.forEach((source) => this.sources.add(source));
    if (sentence.of && !this.headings.has(sentence.of)) this.heading(sentence.of, this.waiting);
    this.waiting.before(shown(sentence, this.sources));
  }

  /** Show an answer that is whole in place of what is shown. */
  show(answer, offers) {
    this.begin();
    const sources = new Map(answer.sources.map((source) => [source.n, source]));
    answer.sentences.forEach((sentence) => {
      const cited = sentence.citations.map(({ source }) => sources.get(source));
      this.said({ sentence, sources: cited });
    });
    this.finished({ answer }, offers);
  }

  /**
   * Show what is only known at the end. `offers.link` returns the address of this very answer,
   * `offers.askSo` asks questions that were changed.
   */
  finished({ answer }, offers) {
    this.end();
    answer.sources.forEach((source) => this.sources.add(source));
    if (answer.parts.length) this.parts(answer);
    else if (answer.abstained) this.answer.append(nobody(answer));
    const spreads = [answer.spread, ...answer.parts.map((part) => part.spread)];
    this.answer.append(
      ...spreads.map((each) => spread(each, this.sources)).filter(Boolean),
      ...answer.disputes.map((each) => dispute(each, this.sources)),
    );
    this.about.replaceChildren(about(answer, offers));
  }

  /** Show what went wrong; `again` asks once more. */
  failed(message, again) {
    this.end();
    const retry = make("button", "plain", { type: "button", onclick: again }, "Ask again");
    this.answer.append(make("p", "problem", { role: "alert" }, message, retry));
  }

  end() {
    this.waiting.remove();
    this.answer.removeAttribute("aria-busy");
  }

  /** Say what each of several questions got; those that nobody answers come last. */
  parts({ parts }) {
    parts.forEach((part) => {
      const heading = this.headings.get(part.question) ?? this.heading(part.question, this.answer);
      heading.after(make("small", "standing", {}, standing(part.standing)));
      if (part.abstained) this.answer.append(foreign("p", "", part.answer));
    });
  }

  heading(question, place) {
    const heading = foreign("h3", "part", question);
    this.headings.set(question, heading);
    if (place === this.waiting) place.before(heading);
    else place.append(heading);
    return heading;
  }
}

/** In every language an abstention begins by saying that there is no witness: that is its title. */
function nobody(answer) {
  const said = /^([^:.：。]{2,40}?)\s*[:.：。]\s*(.+)$/su.exec(answer.answer);
  const [title, rest] = said ? said.slice(1) : ["No witness", answer.answer];
  const [first, ...others] = Array.from(rest);
  return make(
    "div", "nobody", {},
    foreign("h3", "", title), foreign("p", "", first.toLocaleUpperCase() + others.join("")),
  );
}

function about(answer, { link, askSo }) {
  const { freshness, timing_ms: timing } = answer;
  const newest = freshness.newest_seen_at
    ? `${moment(freshness.newest_seen_at)} UTC, ${duration(Math.max(0, freshness.age_s))} before`
    : "nothing seen yet";
  const searched = freshness.posts_searched || answer.abstained;
  const rows = [
    ["Standing", standing(answer.standing)],
    ["As of", `${moment(answer.as_of)} UTC`],
    ...(searched ? [["Searched", count(freshness.posts_searched, "post", "posts")], ["Newest", newest]] : []),
    ["Model", answer.model || "none: quotes and counts alone"],
    ["Took", took(timing)],
  ];
  return make(
    "div", "about", {}, ...gaps(freshness),
    facts(rows),
    leftOut(answer.dropped), askSo ? understood(answer.explained, askSo) : null, share(link),
  );
}

function took(timing) {
  const total = duration(timing.total / 1000);
  return timing.first_sentence
    ? `${Math.round(timing.first_sentence)} ms to the first sentence, ${total} in all`
    : total;
}

function gaps({ sources }) {
  return sources.flatMap((source) => source.gaps.map((gap) => make(
    "p", "gap", {},
    `${source.name} was not heard from ${moment(gap.from)} to ${moment(gap.until)} UTC: ${gap.reason}`,
  )));
}

function leftOut(dropped) {
  if (!dropped.length) return null;
  const many = count(dropped.length, "sentence is", "sentences are");
  const title = `${many} not shown: verification failed`;
  return make(
    "details", "", {}, make("summary", "", {}, title),
    make("ul", "", {}, ...dropped.map((each) => foreign("li", "", each))),
  );
}

function share(shareLink) {
  const button = make("button", "plain", { type: "button" }, "Copy a link to this answer");
  button.onclick = async () => {
    history.replaceState(null, "", shareLink());
    try {
      await navigator.clipboard.writeText(location.href);
      button.textContent = "Copied";
    } catch {
      button.textContent = "The address bar now holds the link";
    }
  };
  return button;
}

function dots() {
  return [make("span", "hidden", {}, "asking"), make("i"), make("i"), make("i")];
}
