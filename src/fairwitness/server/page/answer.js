// The answer as it comes: quotes as quotes, claims as ours, disputes side by side, and when nobody
// witnessed anything, that.

import { bdi, foreign, make } from "/page/dom.js";
import { count, duration, moment } from "/page/text.js";

export class AnswerView {
  constructor(answer, about, sources) {
    this.answer = answer;
    this.about = about;
    this.sources = sources;
  }

  /** Begin a new answer. */
  begin() {
    this.waiting = make("div", "waiting", { role: "status" }, ...dots());
    this.answer.replaceChildren(this.waiting);
    this.answer.setAttribute("aria-busy", "true");
    this.about.replaceChildren();
    this.sources.clear();
  }

  /** Show a sentence that has just been verified, and its sources. */
  said({ sentence, sources }) {
    sources.forEach((source) => this.sources.add(source));
    sentence.citations.forEach((citation) => this.sources.cite(citation));
    this.waiting.before(this.sentence(sentence));
  }

  /** Show an answer that is whole in place of what is shown. */
  show(answer, shareLink) {
    this.begin();
    const sources = new Map(answer.sources.map((source) => [source.n, source]));
    answer.sentences.forEach((sentence) => {
      const cited = sentence.citations.map(({ source }) => sources.get(source));
      this.said({ sentence, sources: cited });
    });
    this.finished({ answer }, shareLink);
  }

  /** Show what is only known at the end. `shareLink` returns the address of this very answer. */
  finished({ answer }, shareLink) {
    this.end();
    answer.sources.forEach((source) => this.sources.add(source));
    if (answer.abstained) this.answer.append(nobody(answer));
    answer.disputes.forEach((dispute) => this.answer.append(this.dispute(dispute)));
    this.about.replaceChildren(about(answer, shareLink));
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

  sentence(sentence) {
    return sentence.kind === "quote" ? this.quote(sentence) : claim(sentence);
  }

  quote(sentence) {
    const source = this.sources.get(sentence.citations[0].source);
    const caption = make(
      "figcaption", "", {}, chips(sentence), " ", bdi(source.author),
      ` · ${source.network} · ${moment(source.created_at)}`,
    );
    return make(
      "figure", "said quote", cites(sentence),
      foreign("blockquote", "", sentence.text), caption,
    );
  }

  dispute({ sides }) {
    const shown = sides.map((side) => {
      side.quotes.forEach(({ citations }) => citations.forEach((each) => this.sources.cite(each)));
      const since = `${count(side.witnesses, "witness", "witnesses")}, first ${moment(side.first_seen_at)}`;
      return make(
        "div", "side", {},
        foreign("strong", "", side.says), make("small", "", {}, since),
        ...side.quotes.map((quote) => this.quote(quote)),
      );
    });
    const title = make("h3", "", {}, "The sources disagree");
    return make("section", "side-by-side", {}, title, make("div", "", {}, ...shown));
  }
}

function claim(sentence) {
  const percent = Math.round(sentence.support * 100);
  const bar = make("i", "", {});
  bar.style.width = `${percent}%`;
  const by = make(
    "span", "by", { title: "how much of this sentence the posts that it cites carry" },
    make("span", "support", { "aria-hidden": "true" }, bar), `our words, ${percent} % carried`,
  );
  return make("p", "said claim", { dir: "auto", ...cites(sentence) }, sentence.text, " ", chips(sentence), by);
}

function cites({ citations }) {
  return { "data-cites": JSON.stringify(citations) };
}

function chips({ citations }) {
  const numbers = [...new Set(citations.map(({ source }) => source))];
  return make("span", "chips", {}, ...numbers.map((n) =>
    make("a", "cite", { href: `#source-${n}`, "aria-label": `source ${n}` }, String(n)),
  ));
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

function about(answer, shareLink) {
  const { freshness, timing_ms: timing } = answer;
  const newest = freshness.newest_seen_at
    ? `${moment(freshness.newest_seen_at)} UTC, ${duration(Math.max(0, freshness.age_s))} before`
    : "nothing seen yet";
  const facts = [
    ["As of", `${moment(answer.as_of)} UTC`],
    ["Searched", count(freshness.posts_searched, "post", "posts")],
    ["Newest", newest],
    ["Model", answer.model || "none: quotes and counts alone"],
    ["Took", took(timing)],
  ];
  return make(
    "div", "about", {}, ...gaps(freshness),
    make("dl", "facts", {}, ...facts.flatMap(([name, value]) => [
      make("dt", "", {}, name), make("dd", "", {}, value),
    ])),
    leftOut(answer.dropped), share(shareLink),
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
