"""What a client sends to be answered: OpenAI's chat completion request, as far as we speak it.

Source: openai/openai-openapi, `openapi.json` 2.3.0 (CreateChatCompletionRequest). What OpenAI does
not have is spelled as vLLM spells it (`top_k`, `min_p`, `repetition_penalty`, `structured_outputs`
in vllm/sampling_params.py of vllm-project/vllm), but for `quote`, which is ours. What a client
sends and we have no use for is ignored, as other servers do; what would change the answer and
cannot be had is refused by its name.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from fairwitness.answers import Mode
from fairwitness.engine.chat import ChatOptions
from fairwitness.engine.forms import Form, GrammarForm, JsonForm, PatternForm, QuoteForm
from fairwitness.engine.request import MOST_TOP_LOGPROBS
from fairwitness.models import Message
from fairwitness.server.errors import ApiError

GROUNDED = "fairwitness"
"""The model that answers from posts; every other name is a chat model used as it is."""

DEFAULT_MAX_TOKENS = 512
MOST_CHOICES = 8
MOST_STOPS = 4  # as OpenAI has it

Penalty = Annotated[float, Meta(ge=-2, le=2)]
Stops = Annotated[tuple[str, ...], Meta(max_length=MOST_STOPS)]


class Part(msgspec.Struct, frozen=True):
    """A part of a message's content."""

    type: str
    text: str = ""


class SentMessage(msgspec.Struct, frozen=True):
    """One message as a client sends it."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | tuple[Part, ...] | None = None

    def read(self) -> str:
        """Return what of the content is text."""
        if self.content is None or isinstance(self.content, str):
            return self.content or ""
        return "\n".join(part.text for part in self.content if part.type == "text")

    def text(self, place: int) -> str:
        """Return the content as text; raises ApiError when it holds anything else."""
        for at, part in enumerate(self.content if isinstance(self.content, tuple) else ()):
            if part.type != "text":
                param = f"messages[{place}].content[{at}].type"
                raise ApiError(400, f"only text can be read here, not {part.type!r}", param=param)
        return self.read()


class StreamOptions(msgspec.Struct, frozen=True):
    """What else a stream should tell."""

    include_usage: bool | None = False


class JsonSchema(msgspec.Struct, frozen=True):
    """A schema as OpenAI wraps it; it is kept whether `strict` is asked for or not."""

    name: Annotated[str, Meta(pattern="^[a-zA-Z0-9_-]{1,64}$")]
    schema: msgspec.Raw = msgspec.Raw(b'{"type": "object"}')


class ResponseFormat(msgspec.Struct, frozen=True):
    """What the content must be: text, any JSON object, or JSON of a schema."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None

    def form(self) -> Form | None:
        """Return the form that is asked for, None for text; raises ApiError without a schema."""
        if self.type == "text":
            return None
        if self.type == "json_object":
            return JsonForm()
        if self.json_schema is None:
            param = "response_format.json_schema"
            raise ApiError(400, f"{param} is missing", param=param, code="bad_value")
        return JsonForm(bytes(self.json_schema.schema).decode())


class Structure(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the content must be: one of these. `quote`: texts, of which a span is to be said."""

    regex: str | None = None
    grammar: str | None = None
    quote: tuple[str, ...] | None = None

    def form(self) -> Form:
        """Return the form that is asked for; raises ApiError unless it is one."""
        asked: list[Form] = []
        if self.regex is not None:
            asked.append(PatternForm(self.regex))
        if self.grammar is not None:
            asked.append(GrammarForm(self.grammar))
        if self.quote is not None:
            asked.append(QuoteForm(self.quote))
        if len(asked) != 1:
            message = f"structured_outputs has {len(asked)} of regex, grammar and quote, not one"
            raise ApiError(400, message, param="structured_outputs", code="bad_value")
        return asked[0]


class ChatBody(msgspec.Struct, frozen=True):
    """`POST /v1/chat/completions`. The last three fields are ours and mean what `/v1/ask` says; so
    is `timeout_s`, until the whole answer.
    """

    messages: Annotated[tuple[SentMessage, ...], Meta(min_length=1)]
    model: str = GROUNDED
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    n: Annotated[int, Meta(ge=1, le=MOST_CHOICES)] | None = 1
    max_tokens: Annotated[int, Meta(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Meta(ge=1)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(gt=0, le=1)] | None = None
    top_k: Annotated[int, Meta(ge=0)] | None = None
    min_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    seed: int | None = None
    stop: str | Stops | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    repetition_penalty: Annotated[float, Meta(gt=0)] | None = None
    logit_bias: dict[int, Annotated[float, Meta(ge=-100, le=100)]] | None = None
    logprobs: bool | None = False
    top_logprobs: Annotated[int, Meta(ge=0, le=MOST_TOP_LOGPROBS)] | None = None
    response_format: ResponseFormat | None = None
    structured_outputs: Structure | None = None
    tool_choice: Literal["none", "auto"] | None = None
    timeout_s: Annotated[float, Meta(gt=0)] | None = None
    modalities: tuple[Literal["text"], ...] | None = None
    mode: Mode = "regular"
    lang: str = ""
    as_of: str = ""

    def conversation(self) -> list[Message]:
        """Return the messages as a chat model takes them."""
        return [
            Message("system" if sent.role == "developer" else sent.role, sent.text(place))
            for place, sent in enumerate(self.messages)
        ]

    def question(self) -> str:
        """Return what the user said last; raises ApiError when the user said nothing."""
        for place in range(len(self.messages) - 1, -1, -1):
            if self.messages[place].role == "user":
                return self.messages[place].text(place)
        raise ApiError(400, "no message has the role user", param="messages")

    def earlier(self) -> tuple[str, ...]:
        """Return what the user said before, the oldest first, as far as it is text."""
        said = [each.read() for each in self.messages if each.role == "user"]
        return tuple(said[:-1])

    def options(self, choice: int = 0, waited_s: float = 0) -> ChatOptions:
        """Return how the chat model shall answer; each choice draws with a seed of its own.
        `waited_s` of its time are over.

        Raises ApiError for what does not go together.
        """
        stop = (self.stop,) if isinstance(self.stop, str) else self.stop or ()
        return ChatOptions(
            max_tokens=self.max_completion_tokens or self.max_tokens or DEFAULT_MAX_TOKENS,
            temperature=_given(self.temperature, 1.0),
            top_p=_given(self.top_p, 1.0),
            seed=(self.seed or 0) + choice,
            stop=tuple(text for text in stop if text),
            top_k=self.top_k or 0,
            min_p=self.min_p or 0.0,
            presence_penalty=self.presence_penalty or 0.0,
            frequency_penalty=self.frequency_penalty or 0.0,
            repetition_penalty=self.repetition_penalty or 1.0,
            logit_bias=self.logit_bias or {},
            top_logprobs=self._top_logprobs(),
            form=self._form(),
            timeout_s=self.timeout_s and max(0.0, self.timeout_s - waited_s),
        )

    def param_of(self, option: str) -> str:
        """Return the field that became `option` of `ChatOptions`; no option: the messages."""
        if option == "form":
            return "structured_outputs" if self.structured_outputs else "response_format"
        return option or "messages"

    def refuse_what_posts_have_not(self) -> None:
        """Raise ApiError for what only a chat model can do, and an answer from posts cannot."""
        asked = {
            "n": (self.n or 1) > 1,
            "logprobs": bool(self.logprobs),
            "response_format": bool(self.response_format and self.response_format.form()),
            "structured_outputs": self.structured_outputs is not None,
            "timeout_s": self.timeout_s is not None,
        }
        for param, is_asked in asked.items():
            if is_asked:
                message = f"{param} cannot be had of {GROUNDED}, only of a chat model"
                raise ApiError(400, message, param=param, code="unsupported")

    @property
    def wants_usage(self) -> bool:
        """Whether the stream shall end with the usage."""
        return bool(self.stream_options and self.stream_options.include_usage)

    def _top_logprobs(self) -> int | None:
        if self.logprobs:
            return self.top_logprobs or 0
        if self.top_logprobs is not None:
            message = "top_logprobs is only told with logprobs"
            raise ApiError(400, message, param="top_logprobs", code="bad_value")
        return None

    def _form(self) -> Form | None:
        form = self.response_format.form() if self.response_format else None
        if self.structured_outputs is None:
            return form
        if form:
            message = "response_format and structured_outputs both ask for a form"
            raise ApiError(400, message, param="structured_outputs", code="bad_value")
        return self.structured_outputs.form()


def _given(value: float | None, default: float) -> float:
    return default if value is None else value
