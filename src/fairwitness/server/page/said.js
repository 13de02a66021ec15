// What answers and reports are made of: sentences, sides that disagree, who was first.

import { bdi, foreign, make } from "/page/dom.js";
import { count, moment } from "/page/text.js";

/** One sentence: a quote as theirs, anything else as ours. Its stretches are marked in `sources`. */
export function shown(sentence, sources) {
  sentence.citations.forEach((citation) => sources.cite(citation));
  return sentence.kind === "quote" ? quote(sentence, sources) : claim(sentence);
}

/** The sides of a dispute, and what would settle it. */
export function dispute({ about, sides, settle }, sources) {
  const beside = sides.map((side) => make(
    "div", "side", {},
    foreign("strong", "", side.says),
    make(
      "small", "", {},
      `${count(side.witnesses, "witness", "witnesses")}, first ${moment(side.first_seen_at)} by `,
      bdi(side.spread.author), ` on ${side.spread.network}`,
    ),
    ...side.quotes.map((each) => shown(each, sources)),
  ));
  return make(
    "section", "side-by-side", {},
    make("h3", "", {}, "The sources disagree: ", bdi(about)),
    make("div", "", {}, ...beside),
    settle.length ? make(
      "div", "settle", {}, make("p", "", {}, "What would settle it:"),
      make("ul", "", {}, ...settle.map((each) => foreign("li", "", each))),
    ) : null,
  );
}

/** Who said it first, where, and how it went on; nothing where only one post says it. */
export function spread(told, sources) {
  if (!told || told.posts < 2) return null;
  told.first.citations.forEach((citation) => sources.cite(citation));
  const reached = told.networks.map(({ network, posts }) => `${posts} on ${network}`).join(", ");
  return make(
    "p", "spread", cites(told.first),
    "First: ", bdi(told.author), ` on ${told.network}, ${moment(told.seen_at)} UTC `, chips(told.first),
    `${count(told.posts, "post", "posts")} read say so: ${reached}; `,
    `half by ${moment(told.half_seen_at)}, the last ${moment(told.last_seen_at)}.`,
  );
}

const STANDINGS = {
  none: "no witness",
  declined: "not helped with",
  lone: "one witness",
  rumoured: "a rumour",
  agreed: "independent witnesses agree",
  disputed: "disputed",
  denied: "denied",
};

/** What stands behind an answer, in words. */
export function standing(word) {
  return STANDINGS[word] ?? word;
}

/** Names and values, one under the other. */
export function facts(rows) {
  return make("dl", "facts", {}, ...rows.flatMap(([name, value]) => [
    make("dt", "", {}, name), make("dd", "", {}, value),
  ]));
}

/** Marks that lead to the sources of a sentence. */
export function chips({ citations }) {
  const numbers = [...new Set(citations.map(({ source }) => source))];
  return make("span", "chips", {}, ...numbers.map((n) =>
    make("a", "cite", { href: `#source-${n}`, "aria-label": `source ${n}` }, String(n)),
  ));
}

/** What makes an element light up its sources. */
export function cites({ citations }) {
  return { "data-cites": JSON.stringify(citations) };
}

function quote(sentence, sources) {
  const source = sources.get(sentence.citations[0].source);
  const caption = make(
    "figcaption", "", {}, chips(sentence), " ", bdi(source.author),
    ` · ${source.network} · ${moment(source.created_at)}`,
  );
  return make(
    "figure", "said quote", cites(sentence),
    foreign("blockquote", "", sentence.text), caption,
  );
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
