// The list of sources: each post whole, with every stretch that the answer cites marked in it.

import { bdi, foreign, link, make } from "/page/dom.js";
import { count, moment, pieces } from "/page/text.js";

export class Sources {
  /** `section` is hidden while `list` is empty. */
  constructor(section, list) {
    this.section = section;
    this.list = list;
    this.clear();
  }

  clear() {
    this.list.replaceChildren();
    this.section.hidden = true;
    this.known = new Map();
  }

  /** Show `source`, or take what is newly known of one that is shown. */
  add(source) {
    const before = this.known.get(source.n);
    if (before && JSON.stringify(before.source) === JSON.stringify(source)) return;
    const card = make("li", "source", { id: `source-${source.n}`, "data-source": source.n });
    const text = foreign("p", "text", "");
    const kept = { source, card, text, spans: before?.spans ?? [] };
    card.append(head(source), text, foot(source));
    if (before) before.card.replaceWith(card);
    else this.list.append(card);
    this.known.set(source.n, kept);
    this.section.hidden = false;
    draw(kept);
  }

  /** Mark what `citation` points at. */
  cite({ source, start, end }) {
    const kept = this.known.get(source);
    if (!kept || kept.spans.some((span) => span.start === start && span.end === end)) return;
    kept.spans.push({ start, end });
    draw(kept);
  }

  /** The source with number `n`. */
  get(n) {
    return this.known.get(n)?.source;
  }
}

function draw({ source, text, spans }) {
  let at = 0;
  const drawn = pieces(source.text, spans).map((piece) => {
    const start = at;
    at += Array.from(piece.text).length;
    if (!piece.marked) return piece.text;
    return make("mark", "", { "data-start": start, "data-end": at }, piece.text);
  });
  text.replaceChildren(...drawn);
}

function head(source) {
  const when = make("time", "where", { dateTime: source.created_at }, moment(source.created_at));
  when.title = `made ${source.created_at}, seen ${source.seen_at}`;
  return make(
    "header", "", {},
    make("span", "n", { "aria-label": `source ${source.n}` }, String(source.n)),
    make("span", "who", {}, bdi(source.author)),
    make("span", "where", {}, source.network),
    when,
  );
}

function foot(source) {
  const stands = [count(source.witnesses, "independent witness", "independent witnesses")];
  if (source.copies > 1) stands.push(count(source.copies, "copy", "copies"));
  const explained = `/?${new URLSearchParams({ explain: source.id })}`;
  return make(
    "footer", "", {},
    make("span", "", {}, stands.join(" · ")),
    make("span", "", {}, link(source.url, "original"), " ", make("a", "", { href: explained }, "explain")),
  );
}
