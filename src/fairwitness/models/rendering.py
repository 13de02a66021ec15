"""A process of its own that renders one chat template and ends.

Run as a script by `chat_template`, with the job as JSON on standard input and the outcome as JSON
on standard output. A template is foreign code: it can loop, and grow a text until memory is gone.
Here the operating system counts its time and its memory, and it can open and write no file, even
if it should find a way out of Jinja's sandbox.

It imports nothing of ours, so that it starts in a tenth of a second.

What templates may use: `_compile_jinja_template` in github.com/huggingface/transformers.
"""

import json
import resource
import sys
from contextlib import suppress
from typing import Any, NoReturn

import jinja2
import jinja2.debug  # else loaded at the first error, when no file can be opened any more
from jinja2.sandbox import ImmutableSandboxedEnvironment

CPU_S = 2
MEMORY_BYTES = 256_000_000
MAX_TEXT = 4_000_000  # characters; templates write a few hundred around each message
# Python loads the rest of what rendering needs now, while it may open files.
_WARM_UP = "{% macro m(t) %}{{ t|trim|tojson }}{% endmacro %}{{ m('a') }}"


def main() -> None:
    """Read a job, limit ourselves, render, tell."""
    job = json.load(sys.stdin)
    _render({"source": _WARM_UP, "messages": [], "variables": {}})
    _limit()
    json.dump(_outcome(job), sys.stdout)


def _outcome(job: dict[str, Any]) -> dict[str, str]:
    try:
        text = _render(job)
    except jinja2.TemplateSyntaxError as error:
        return {"problem": f"does not parse: {error}"}
    except jinja2.TemplateError as error:
        return {"problem": f"refuses: {error}"}
    except MemoryError:
        return {"problem": f"needs more than {MEMORY_BYTES // 1_000_000} MB"}
    except Exception as error:  # a template can raise anything, from TypeError to OverflowError
        return {"problem": f"fails: {str(error)[:500]}"}
    if len(text) > MAX_TEXT:
        return {"problem": f"writes {len(text)} characters, at most {MAX_TEXT}"}
    return {"text": text}


def _render(job: dict[str, Any]) -> str:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.globals["raise_exception"] = _refuse
    template = environment.from_string(job["source"])
    return template.render(messages=job["messages"], add_generation_prompt=True, **job["variables"])


def _refuse(reason: str) -> NoReturn:
    """What templates call to reject a conversation."""
    raise jinja2.TemplateError(reason)


def _limit() -> None:
    limits = {
        resource.RLIMIT_CPU: CPU_S,
        resource.RLIMIT_AS: MEMORY_BYTES,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: 0,  # those that are open stay so
        resource.RLIMIT_CORE: 0,
    }
    for kind, most in limits.items():
        with suppress(ValueError, OSError):  # not every system knows every limit
            resource.setrlimit(kind, (most, most))


if __name__ == "__main__":
    main()
