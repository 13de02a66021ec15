"""Two engines behind one door, over real HTTP: one is killed in the midst of its work."""

import json
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import httpx2
import numpy as np
import pytest

from fairwitness.engine import (
    ChatDeadlineError,
    ChatError,
    ChatOptions,
    EngineError,
    LocalChat,
    Message,
    Request,
    RequestError,
)
from fairwitness.engine.forms import PatternForm
from fairwitness.models.errors import ModelFileError
from fairwitness.models.gguf import open_gguf
from fairwitness.models.registry import DEFAULT_MODEL, pull

SYSTEM = "You are a patient clerk who counts things for visitors of the old harbour. " * 6
STREAMS, TOKENS = 20, 24
MOST_KILLS = 5  # where this process gets no time, a replica may have told all before it is killed

pytestmark = [
    pytest.mark.skipif(
        find_spec("ray") is None or find_spec("fastapi") is None,
        reason="NO RAY SERVE HERE: pip install -e '.[dev]'",
    ),
    pytest.mark.filterwarnings("ignore:Using extra keyword arguments on `Field`"),
    # Ray forks to start processes; JAX, where an earlier test has loaded it, warns of any fork
    pytest.mark.filterwarnings(r"ignore:os\.fork\(\) was called:RuntimeWarning"),
]


@pytest.fixture(scope="module")
def adapters(tmp_path_factory, saved_adapter) -> dict[str, Path]:
    return {"loud": saved_adapter(tmp_path_factory.mktemp("adapters") / "loud", 1.0)}


@pytest.fixture(scope="module")
def one(adapters) -> LocalChat:
    """One engine, here."""
    return LocalChat.open(DEFAULT_MODEL, pull(DEFAULT_MODEL), adapters)


@pytest.fixture(scope="module")
def many(adapters) -> Iterator[LocalChat]:
    """Two engines in processes of their own."""
    import ray
    from ray import serve

    from fairwitness.engine.replicas.door import open_chat

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.delenv("RAY_ADDRESS", raising=False)
        yield open_chat(DEFAULT_MODEL, pull(DEFAULT_MODEL), 2, adapters)
        serve.shutdown()
        ray.shutdown()


@pytest.fixture(scope="module")
def own(many, tmp_path_factory, serving, wait_until):
    with serving(tmp_path_factory.mktemp("home"), load_chat=lambda: many) as running:
        wait_until(lambda: running.house.chat.model is not None)
        yield running


def asked(number: int) -> list[Message]:
    return [Message("system", SYSTEM), Message("user", f"Count on from {number}.")]


def options(number: int, tokens: int = TOKENS) -> ChatOptions:
    """Greedy ones, and drawn ones with a penalty."""
    return ChatOptions(tokens, number % 2 / 2, seed=number, frequency_penalty=number % 2 / 4)


def streamed(url: str, number: int, begun: list[int]) -> str:
    told = options(number)
    body = {
        "model": DEFAULT_MODEL,
        "messages": [{"role": each.role, "content": each.content} for each in asked(number)],
        "max_tokens": told.max_tokens,
        "temperature": told.temperature,
        "frequency_penalty": told.frequency_penalty,
        "seed": told.seed,
        "stream": True,
    }
    said = ""
    with httpx2.stream("POST", f"{url}/v1/chat/completions", json=body, timeout=60) as reply:
        assert reply.status_code == 200
        for line in reply.iter_lines():
            if line.startswith("data: {"):
                said += json.loads(line[6:])["choices"][0]["delta"].get("content", "")
                begun += [number] * (len(said) > 20)
            elif line == "data: [DONE]":
                return said
    raise AssertionError(f"{number} broke off after {said!r}")


def pids() -> set[int]:
    """The processes of the replicas that are there now."""
    import ray

    found = set()
    for actor in ray.util.list_named_actors(all_namespaces=True):
        if "#engine#" in actor["name"]:
            with suppress(ray.exceptions.RayActorError, ValueError):
                handle = ray.get_actor(actor["name"], namespace=actor["namespace"])
                found.add(ray.get(handle.__ray_call__.remote(lambda _: os.getpid())))
    return found


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_replica_is_killed_under_load_and_no_answer_shows_it(own, many, one, wait_until) -> None:
    door = many.engine
    with ThreadPoolExecutor(STREAMS) as pool:
        alone = list(pool.map(lambda n: "".join(one.stream(asked(n), options(n))), range(STREAMS)))
        for _ in range(MOST_KILLS):
            before, begun = pids(), list[int]()
            assert len(before) == 2
            answers = [pool.submit(streamed, own.url, number, begun) for number in range(STREAMS)]
            wait_until(lambda told=begun: len(set(told)) >= STREAMS // 4, 60)
            victim = min(before)
            os.kill(victim, signal.SIGKILL)
            assert [each.result(60) for each in answers] == alone
            assert door.load().running == 0
            wait_until(lambda gone=victim: len(pids() - {gone}) == 2, 60)
            if door.load().failovers:
                break
    assert door.load().failovers > 0, "it never had anything to do"


def test_forms_and_refusals_are_those_of_one_engine(many, one) -> None:
    form = ChatOptions(12, form=PatternForm("[a-c]{3}-[0-9]{2}"))
    said = "".join(many.stream(asked(1), form))
    assert said == "".join(one.stream(asked(1), form))
    texts = [(1, 2, 3), tuple(range(200))]
    assert np.array_equal(many.engine.embed_all(texts), one.engine.embed_all(texts))
    with pytest.raises(RequestError, match="vocabulary"):
        many.engine.embed_all([(-1,)])
    with pytest.raises(ChatError, match="the context has"):
        many.stream([Message("user", "x " * 9000)], ChatOptions())
    with pytest.raises(ChatDeadlineError):
        list(many.stream(asked(1), ChatOptions(1900, timeout_s=0.2)))


def test_who_leaves_stops_the_replica(many, wait_until) -> None:
    stream = many.stream(asked(2), ChatOptions(1900, temperature=1.0))
    next(stream)
    stream.close()

    def are_idle() -> bool:
        spent_s = {pid: cpu_s(pid) for pid in pids()}
        time.sleep(0.5)
        return max(cpu_s(pid) - spent_s[pid] for pid in spent_s) < 0.25

    wait_until(are_idle, 20)  # the whole answer would take longer


def test_each_adapter_is_had_behind_the_door_too(many, one) -> None:
    (loud,), (alone,) = many.adapted, one.adapted
    assert loud.name == f"{DEFAULT_MODEL}:loud"
    said = "".join(loud.stream(asked(3), options(3)))
    assert said == "".join(alone.stream(asked(3), options(3)))
    assert said != "".join(many.stream(asked(3), options(3)))
    texts = [(1, 2, 3)]
    expected = one.engine.embed_all(texts, "loud")
    assert np.array_equal(many.engine.embed_all(texts, "loud"), expected)
    with pytest.raises(RequestError, match="no adapter 'none'"):
        list(many.engine.generate(Request((1, 2), 3, adapter="none")))


def turned(path: Path, other: Path) -> Path:
    """The same model with the numbers of its last norm turned round: it says other things."""
    raw = bytearray(path.read_bytes())
    norm = open_gguf(path).read("output_norm.weight").tobytes()
    at = raw.index(norm)
    raw[at : at + len(norm)] = np.frombuffer(norm, "<f4")[::-1].tobytes()
    other.write_bytes(raw)
    return other


def test_weights_change_under_load_and_no_answer_is_dropped_or_of_both(
    own, many, one, tmp_path, wait_until
) -> None:
    path, numbers, door = pull(DEFAULT_MODEL), range(STREAMS), many.engine
    other = turned(path, tmp_path / "other.gguf")

    def alone(number: int) -> str:
        return "".join(one.stream(asked(number), options(number)))

    with ThreadPoolExecutor(STREAMS) as pool:
        old = list(pool.map(alone, numbers))
        one.engine.swap(other)
        new = list(pool.map(alone, numbers))
        begun: list[int] = []
        answers = [pool.submit(streamed, own.url, number, begun) for number in numbers]
        wait_until(lambda: len(set(begun)) >= STREAMS // 2, 60)
        early, before = set(begun), pids()
        door.swap(other)
        said = [each.result(60) for each in answers]
        assert all(
            each in pair for each, pair in zip(said, zip(old, new, strict=True), strict=True)
        )
        assert [said[number] for number in early] == [old[number] for number in early]
        assert pids() == before, "nobody was started again"
        assert [streamed(own.url, number, begun) for number in numbers[:4]] == new[:4]
        os.kill(min(before), signal.SIGKILL)
        wait_until(lambda: len(pids() - {min(before)}) == 2, 60)
        assert list(pool.map(lambda n: streamed(own.url, n, begun), numbers)) == new
    from fairwitness.engine.replicas.asked import Asked

    begun_before = Asked(Request((1, 2, 3), 9), None, (4, 5), 0, 20.0)
    with pytest.raises(EngineError, match="the weights have changed since the answer began"):
        list(door._of_one(begun_before))


def test_weights_that_no_replica_could_run_are_refused_at_the_door(many, tmp_path) -> None:
    raw = pull(DEFAULT_MODEL).read_bytes()
    short = tmp_path / "short.gguf"
    short.write_bytes(raw[: len(raw) // 2])
    before = pids()
    with pytest.raises(ModelFileError):
        many.engine.swap(short)
    assert pids() == before
