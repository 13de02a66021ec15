// Stretches of text, as the server counts them: in Unicode code points. A JavaScript string is
// counted in UTF-16 units, in which an emoji is two, so every offset goes through here.

/** The characters of `text` from code point `start` up to `end`. */
export function stretch(text, start, end) {
  return Array.from(text).slice(start, end).join("");
}

/**
 * `text` cut where any of `spans` ({start, end}) begins or ends, in order: each piece says whether
 * it is `marked`. The pieces joined are the text.
 */
export function pieces(text, spans) {
  const points = Array.from(text);
  const borders = new Set([0, points.length]);
  for (const { start, end } of spans) borders.add(start).add(end);
  const sorted = [...borders].filter((at) => at >= 0 && at <= points.length).sort((a, b) => a - b);
  const marked = (at) => spans.some(({ start, end }) => start <= at && at < end);
  return sorted.slice(0, -1).map((from, place) => ({
    text: points.slice(from, sorted[place + 1]).join(""),
    marked: marked(from),
  }));
}

/** Seconds as people say them: `3 s`, `4 min`, `2 h`, `5 d`. */
export function duration(seconds) {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} d`;
}

/** `2017-08-27T04:15:00.123Z` as `2017-08-27 04:15:00`. */
export function moment(iso) {
  return iso.replace("T", " ").replace(/(\.\d+)?Z$/, "");
}

/** `1 witness`, `2 witnesses`. */
export function count(number, one, many) {
  return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
}
