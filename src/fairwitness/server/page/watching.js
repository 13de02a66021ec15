// An answer that stays open: what changes in it is said in a list, and the answer is shown anew.

import { AskError, watch } from "/page/events.js";
import { foreign, make } from "/page/dom.js";
import { moment } from "/page/text.js";

const WORDS = {
  new: "New",
  corroborated: "Corroborated",
  contradicted: "Contradicted",
  withdrawn: "Withdrawn",
  alert: "Alert",
};

export class Watching {
  /** `show` shows an answer anew; the list of changes goes into `place`. */
  constructor(place, show) {
    this.place = place;
    this.show = show;
    this.end();
  }

  /** Offer to keep the answer to `asked` open. */
  offer(asked) {
    const least = make("input", "", {
      type: "number", min: "1", max: "999", value: "3", id: "alert-at",
    });
    const open = make("button", "plain", { type: "button" }, "Keep this answer open");
    open.onclick = () => this.open({ ...asked, alert: Number(least.value) || 0 });
    const label = make("label", "", { htmlFor: "alert-at" }, "alert when so many agree: ", least);
    this.place.replaceChildren(open, " ", label);
    this.place.hidden = false;
  }

  /** Close it; nothing is watched after this. */
  end() {
    this.watching?.abort();
    this.watching = null;
    this.place.hidden = true;
    this.place.replaceChildren();
  }

  async open({ question, mode, length, alert }) {
    const mine = (this.watching = new AbortController());
    const line = make("span", "", { role: "status" }, "opening…");
    const stop = make("button", "plain", { type: "button" }, "Close");
    const list = make("ol", "changes", { "aria-live": "polite", "aria-label": "What changed" });
    this.place.replaceChildren(make("p", "", {}, line, " ", stop), list);
    stop.onclick = () => {
      mine.abort();
      this.offer({ question, mode, length });
    };
    try {
      for await (const { name, data } of watch({ question, mode, length, alert }, mine.signal)) {
        if (name === "finished") {
          line.textContent = "Open: what comes in changes this answer.";
          this.show(data.answer);
        }
        if (name === "changed") {
          this.show(data.answer);
          list.prepend(...data.changes.map((change) => item(change, data.answer)));
        }
      }
    } catch (error) {
      if (error.name === "AbortError") return;
      if (!(error instanceof AskError)) throw error;
      line.textContent = error.message;
      line.setAttribute("role", "alert");
    }
  }
}

/** One change; what was withdrawn is named by its post, its words are not said again. */
function item(change, answer) {
  const quoted = change.what === "new" ? answer.sentences[change.at]?.text : "";
  return make(
    "li", change.what, change.what === "alert" ? { role: "alert" } : {},
    make("time", "", { dateTime: answer.as_of }, moment(answer.as_of)), " ",
    make("strong", "", {}, WORDS[change.what] ?? change.what), " ",
    quoted ? foreign("q", "", quoted) : change.why,
    !quoted && change.post ? make("small", "", {}, ` ${change.post}`) : null,
  );
}
