// Ask, and read the answer's events as they come.

/** What went wrong, in words for people. */
export class AskError extends Error {}

/** Yield {name, data} of each event of the answer to `body`; throws AskError. */
export function ask(body, signal) {
  return told("/v1/ask", body, signal, "finished");
}

/** Yield {name, data} of each step of the report on `body`; throws AskError. */
export function deep(body, signal) {
  return told("/v1/deep", body, signal, "reported");
}

/** The answer that explains the post `named`; throws AskError. */
export async function explain(named, asOf, signal) {
  const query = asOf ? `?${new URLSearchParams({ as_of: asOf })}` : "";
  const response = await send(`/v1/explain/${encodeURIComponent(named)}${query}`, { signal });
  return response.json();
}

async function* told(path, body, signal, last) {
  const response = await post(path, { ...body, stream: true }, signal);
  let ended = false;
  for await (const event of read(response)) {
    if (event.name === "error") throw new AskError(event.data.error.message);
    ended = event.name === last;
    yield event;
  }
  if (!ended) throw new AskError("The connection broke before the answer was whole.");
}

/** Yield {name, data} of each event of an answer that stays open; throws AskError. */
export async function* watch(body, signal) {
  const response = await post("/v1/watch", body, signal);
  for await (const event of read(response)) {
    if (event.name === "error") throw new AskError(event.data.error.message);
    yield event;
  }
  if (!signal.aborted) throw new AskError("The connection broke: this answer is closed.");
}

function post(path, body, signal) {
  return send(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
    signal,
  });
}

async function send(path, request) {
  let response;
  try {
    response = await fetch(path, request);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new AskError("The server cannot be reached.");
  }
  if (response.ok) return response;
  const told = await response.json().catch(() => null);
  throw new AskError(told?.error?.message ?? `The server answered ${response.status}.`);
}

async function* read(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let waiting = "";
  while (true) {
    let part;
    try {
      part = await reader.read();
    } catch (error) {
      if (error.name === "AbortError") throw error;
      return; // cut off; whether that matters is for the caller
    }
    if (part.done) return;
    waiting += part.value;
    const blocks = waiting.split("\n\n");
    waiting = blocks.pop();
    yield* blocks.map(parse).filter((event) => event !== null);
  }
}

function parse(block) {
  let name = "message";
  const data = [];
  for (const line of block.split("\n")) {
    if (line.startsWith("event: ")) name = line.slice(7);
    else if (line.startsWith("data: ")) data.push(line.slice(6));
  }
  return data.length ? { name, data: JSON.parse(data.join("\n")) } : null;
}
