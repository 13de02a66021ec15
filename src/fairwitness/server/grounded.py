"""An answer in the clothes of a chat completion: what OpenAI's clients see of a verified answer.

The content is the answer's text with its marks `[1]`; each mark is an annotation as OpenAI writes
them, the addresses stand in `citations` as xAI writes them, and `fairwitness` holds the whole
answer. Quotes cost no tokens: the usage is what the chat model read and wrote for its claim.
"""

from collections.abc import AsyncIterator, Sequence
from itertools import accumulate, pairwise
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from fairwitness.answers import Answer, CitedSource, Finished, Said, Sentence, Told, lead
from fairwitness.server import sse
from fairwitness.server.ask import as_of_ms, whole
from fairwitness.server.bodies import json
from fairwitness.server.chat_body import ChatBody
from fairwitness.server.errors import body_of
from fairwitness.server.house import House
from fairwitness.server.metered import Metered
from fairwitness.server.openai_wire import Annotation, Head, UrlCitation, choice_body
from fairwitness.server.workers import Running, while_connected


async def complete(request: Request, house: House, body: ChatBody) -> Response:
    """Answer what the user said last, in the light of what was said before it."""
    body.refuse_what_posts_have_not()
    chat = Metered.of(house.chat.model)
    moment = as_of_ms(body.as_of)
    running = house.ask(body.question(), body.mode, body.lang, moment, chat, earlier=body.earlier())
    head, base = Head(body.model), str(request.base_url)
    try:
        first = await while_connected(request, anext(running))
        if not body.stream:
            answer = await while_connected(request, whole(running, first))
            return json(_completion(head, answer, base, chat))
    except BaseException:
        running.cancel()
        raise
    return sse.stream(_chunks(running, first, head, base, chat, body))


def _completion(head: Head, answer: Answer, base: str, chat: Metered | None) -> dict[str, object]:
    usage = chat.usage if chat else Metered.NOTHING
    marks = annotations(answer, base)
    more = {"citations": addresses(answer.sources, base), "fairwitness": answer}
    choice = choice_body(answer.answer, "stop", annotations=marks)
    return head.completion([choice], usage, **more)


async def _chunks(
    running: Running[Told], first: Told, head: Head, base: str, chat: Metered | None, body: ChatBody
) -> AsyncIterator[bytes]:
    try:
        yield sse.event("", head.chunk({"role": "assistant", "content": ""}))
        said, before = "", None
        async for told in _with_first(running, first):
            match told:
                case None:
                    yield sse.SILENCE
                case Said(sentence):
                    text = lead(before, sentence) + sentence.shown
                    said, before = said + text, sentence
                    yield sse.event("", head.chunk({"content": text}))
                case Finished(answer):
                    yield sse.event("", _last_chunk(head, answer, said, base))
        if body.wants_usage:
            yield sse.event("", head.usage_chunk(chat.usage if chat else Metered.NOTHING))
        yield sse.DONE
    except Exception as error:  # the response has begun, so the stream itself must say it
        yield sse.event("", body_of(error))
    finally:
        running.cancel()


def _last_chunk(head: Head, answer: Answer, said: str, base: str) -> dict[str, object]:
    """Close the content with what has not been said (an abstention) and all that is beside it."""
    delta: dict[str, object] = {}
    if answer.answer.startswith(said) and answer.answer != said:
        delta["content"] = answer.answer[len(said) :]
    if marks := annotations(answer, base):
        delta["annotations"] = marks
    more = {"citations": addresses(answer.sources, base), "fairwitness": answer}
    return head.chunk(delta, "stop") | more


async def _with_first(running: Running[Told], first: Told) -> AsyncIterator[Told | None]:
    yield first
    async for told in sse.with_silences(running):
        yield told


def marks_of(sentence: Sentence) -> list[tuple[int, int, int]]:
    """Return (source, start, end) of each mark in a sentence as an answer's text shows it."""
    sources = list(dict.fromkeys(citation.source for citation in sentence.citations))
    start = len(sentence.shown) - sum(len(f"[{n}]") for n in sources)
    ends = accumulate((len(f"[{n}]") for n in sources), initial=start)
    return [(n, *each) for n, each in zip(sources, pairwise(ends), strict=True)]


def annotations(answer: Answer, base: str) -> tuple[Annotation, ...]:
    """Return where the marks stand in the text of the answer, and what they lead to."""
    sources = {source.n: source for source in answer.sources}
    found, at = [], 0
    for before, sentence in zip((None, *answer.sentences), answer.sentences, strict=False):
        at += len(lead(before, sentence))
        for n, start, end in marks_of(sentence):
            source = sources[n]
            title = f"{source.author} on {source.network}, {source.created_at}"
            address = UrlCitation(at + start, at + end, address_of(source, base), title)
            found.append(Annotation(address))
        at += len(sentence.shown)
    return tuple(found)


def addresses(sources: Sequence[CitedSource], base: str) -> list[str]:
    """Return where each source can be read, in the order of their numbers."""
    return list(dict.fromkeys(address_of(source, base) for source in sources))


def address_of(source: CitedSource, base: str) -> str:
    """Return the address of a source: the original's, or that of our copy when there is none."""
    return source.url or f"{base}v1/posts/{quote(source.id, safe='')}"
