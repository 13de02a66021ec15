// The live counter: how many posts, how many a second, how old the newest is, and how each source
// and the model stand. When the server goes, it says so and keeps trying.

import { bdi, make } from "/page/dom.js";
import { facts } from "/page/said.js";
import { count, duration, moment } from "/page/text.js";

const RETRY_MS = 3000;
const RATE_TICKS = 5; // seconds over which posts a second are counted

/** Follow the server's status for as long as the page is open. */
export function follow({ dot, line, panel, streams }) {
  const ticks = [];
  const show = (status) => {
    ticks.push({ events: sum(status), at: performance.now() });
    if (ticks.length > RATE_TICKS + 1) ticks.shift();
    const { state, text } = summary(status, rate(ticks));
    dot.dataset.state = state;
    line.replaceChildren(...text);
    panel.replaceChildren(...details(status));
    streams.replaceChildren(...status.sources.map(pill));
  };
  const gone = () => {
    dot.dataset.state = "waiting";
    line.textContent = "server gone, reconnecting…";
    ticks.length = 0;
  };
  connect(show, gone);
}

function connect(show, gone) {
  const stream = new EventSource("/v1/status/stream");
  stream.addEventListener("status", (event) => show(JSON.parse(event.data)));
  stream.addEventListener("error", () => {
    gone();
    stream.close(); // a browser gives up for good on some errors, so we do the trying ourselves
    setTimeout(connect, RETRY_MS, show, gone);
  });
}

function sum(status) {
  return status.sources.reduce((total, source) => total + source.events, 0);
}

function rate(ticks) {
  const [first, last] = [ticks[0], ticks.at(-1)];
  return last.at > first.at ? ((last.events - first.events) * 1000) / (last.at - first.at) : 0;
}

function summary(status, perSecond) {
  const live = status.sources.some(({ state }) => state === "live");
  const waiting = status.sources.some(({ state }) => state === "waiting" || state === "refused");
  const bad = status.intake.state === "blocked" || status.intake.state === "failed";
  const wide = [];
  if (perSecond >= 0.1) wide.push(`${perSecond >= 10 ? Math.round(perSecond) : perSecond.toFixed(1)}/s`);
  if (status.virtual) wide.push(`replayed up to ${moment(status.now)}`);
  else if (status.newest_seen_at) wide.push(`newest ${duration(status.newest_age_s)} ago`);
  if (status.model.state === "loading") wide.push("model loading");
  if (bad) wide.push("not taking in");
  const state = bad ? "bad" : waiting ? "waiting" : live ? "live" : "still";
  const text = [count(status.posts, "post", "posts")];
  if (wide.length) text.push(make("span", "wide", {}, ` · ${wide.join(" · ")}`));
  return { state, text };
}

function pill(source) {
  const state = { live: "live", waiting: "waiting", refused: "bad" }[source.state] ?? "still";
  const lag = source.state === "live" ? `, ${duration(source.lag_s)} behind` : "";
  return make(
    "li", "", { title: source.problem },
    make("span", "dot", { "data-state": state }), bdi(source.name), `${source.state}${lag}`,
  );
}

function details(status) {
  const shown = [];
  if (status.intake.problem) shown.push(make("p", "gap", { role: "alert" }, status.intake.problem));
  if (status.sources.length) shown.push(table(status.sources));
  const model = [status.model.name, status.model.state, status.model.message].filter(Boolean);
  const noticed = [
    [status.copies, "copies"],
    [status.author_floods, "of accounts that flood"],
    [status.copy_floods, "of texts that flood"],
    [status.low_quality, "worth little"],
  ];
  const rows = [
    [status.virtual ? "Replay’s clock" : "Clock", `${moment(status.now)} UTC`],
    ["Newest seen", status.newest_seen_at ? `${moment(status.newest_seen_at)} UTC` : "nothing yet"],
    ["Networks", Object.entries(status.networks).map(([name, n]) => `${name} ${n.toLocaleString("en")}`).join(", ") || "none"],
    ["Noticed", noticed.filter(([n]) => n).map(([n, of]) => `${n.toLocaleString("en")} ${of}`).join(", ") || "nothing odd"],
    ["Model", model.join(", ")],
    ["Index", `${(status.size_bytes / 1e6).toFixed(1)} MB, log at byte ${status.position.log.toLocaleString("en")}`],
    ["Version", status.versions.fairwitness],
  ];
  return [...shown, facts(rows)];
}

function table(sources) {
  const head = ["source", "state", "lag", "events", "lost", "gaps"];
  const rows = sources.flatMap((source) => {
    const cells = [
      bdi(source.name), source.state, duration(source.lag_s), source.events.toLocaleString("en"),
      source.dropped.toLocaleString("en"), String(source.gaps.length),
    ];
    const row = make("tr", "", {}, ...cells.map((cell) => make("td", "", {}, cell)));
    if (!source.problem) return [row];
    return [row, make("tr", "", {}, make("td", "note", { colSpan: cells.length }, source.problem))];
  });
  return make(
    "table", "", {},
    make("thead", "", {}, make("tr", "", {}, ...head.map((name) => make("th", "", { scope: "col" }, name)))),
    make("tbody", "", {}, ...rows),
  );
}
