// A report as it grows. Every step brings all of it, so what is there when it is stopped is shown.

import { bdi, foreign, make } from "/page/dom.js";
import { chips, cites, dispute, facts, shown, spread, standing } from "/page/said.js";
import { count, duration, moment } from "/page/text.js";

export class ReportView {
  constructor(answer, about, sources) {
    this.answer = answer;
    this.about = about;
    this.sources = sources;
  }

  /** Begin a new report. */
  begin() {
    this.report = null;
    this.drawn = new Map();
    this.plan = make("ol", "plan", { "aria-label": "Searches" });
    this.body = make("div", "report", {});
    this.answer.replaceChildren(this.plan, this.body);
    this.answer.setAttribute("aria-busy", "true");
    this.about.replaceChildren();
    this.sources.clear();
  }

  /** Show the report as it is now. */
  progressed({ report }) {
    this.report = report;
    report.sources.forEach((source) => this.sources.add(source));
    this.plan.replaceChildren(...report.plan.map(step));
    const parts = [
      ...report.sections.map((told, at) => this.once(`section ${at}`, told, section)),
      ...report.disputes.map((told, at) => this.once(`dispute ${at}`, told, dispute)),
      this.once("timeline", report.timeline, timeline),
    ];
    parts.forEach((part, at) => {
      if (this.body.children[at] !== part) this.body.insertBefore(part, this.body.children[at] ?? null);
    });
    [...this.body.children].slice(parts.length).forEach((left) => left.remove());
  }

  /** Show how it ended; `stopped` when the reader ended it. Returns whether there is anything. */
  ended(stopped) {
    this.answer.removeAttribute("aria-busy");
    if (this.report === null) return false;
    const partial = stopped ? "interrupted" : this.report.partial;
    this.about.replaceChildren(about({ ...this.report, partial }));
    return true;
  }

  /** Draw `told` unless it is drawn already. */
  once(name, told, draw) {
    const as = JSON.stringify(told);
    const before = this.drawn.get(name);
    if (before?.as === as) return before.element;
    const element = draw(told, this.sources);
    before?.element.remove();
    this.drawn.set(name, { as, element });
    return element;
  }
}

function step({ question, state, searched }) {
  const far = state === "open" || state === "asking" ? "" : `, ${count(searched, "post", "posts")} searched`;
  return make("li", state, {}, bdi(question), " ", make("small", "", {}, `${state}${far}`));
}

function section(told, sources) {
  return make(
    "section", "part", {},
    foreign("h3", "", told.question),
    make("small", "standing", {}, standing(told.standing)),
    told.abstention ? foreign("p", "", told.abstention) : null,
    ...told.sentences.map((sentence) => shown(sentence, sources)),
    spread(told.spread, sources),
  );
}

function timeline(moments, sources) {
  const items = moments.map(({ at, author, network, quote }) => {
    quote.citations.forEach((citation) => sources.cite(citation));
    return make(
      "li", "", cites(quote),
      make("time", "", { dateTime: at }, moment(at)), " ", bdi(author), ` on ${network}: `,
      foreign("q", "", quote.text), " ", chips(quote),
    );
  });
  return make("section", "timeline", {}, make("h3", "", {}, "Timeline"), make("ol", "", {}, ...items));
}

function about(report) {
  const ended = report.plan.filter(({ state }) => state !== "open" && state !== "asking").length;
  const rows = [
    ["As of", `${moment(report.as_of)} UTC`],
    ["Searches", `${ended} of ${report.plan.length}`],
    ["Model", report.model || "none: quotes and counts alone"],
    ["Took", `${duration(report.seconds)} of ${duration(report.budget.seconds)}, ${count(report.tokens, "token", "tokens")}`],
  ];
  const why = report.partial === "seconds" ? "its seconds are over" : "it was stopped";
  return make(
    "div", "about", {},
    report.partial ? make("p", "gap", { role: "status" }, `This report is partial: ${why}.`) : null,
    report.without_model ? make("p", "gap", {}, "The model was not asked everywhere: its budget is spent.") : null,
    facts(rows),
  );
}
