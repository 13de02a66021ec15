"""How good answers are: cited, sure only where they may be, silent where nobody spoke.

Each part feeds real posts into an index of its own, asks, and judges by what people labelled. A
part whose files are not there is not measured, and the report says so.
"""

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import msgspec
from msgspec import UNSET, UnsetType

from fairwitness.answers import Answer
from fairwitness.evals import absent, entailed, people, planted, rumours
from fairwitness.evals import news as weekly
from fairwitness.evals.absent import Deletion
from fairwitness.evals.cited import Cited, cited
from fairwitness.evals.entailed import Verification
from fairwitness.evals.hearing import Chat, Hearing, posts_in, rows_of
from fairwitness.evals.languages import BUNDLED, Language, askings, languages, outcomes
from fairwitness.evals.latency import Latency, latency
from fairwitness.evals.machine import commit, machine
from fairwitness.evals.news import News
from fairwitness.evals.planted import Injection
from fairwitness.evals.refused import Refusals, refusals
from fairwitness.evals.rumours import Rumours
from fairwitness.models.encoder_download import ENCODER
from fairwitness.models.verifier import the_verifier

Part = Literal[
    "absence",
    "deletion",
    "determinism",
    "injection",
    "languages",
    "latency",
    "news",
    "rumours",
    "verifier",
    "xstest",
]
PARTS: tuple[Part, ...] = get_args(Part)

FILES: Mapping[str, str] = {
    "posts": "fivethirtyeight-tweets/mayweather_mcgregor.jsonl.gz",
    "questions": "realtimeqa/questions.dev.jsonl.gz",
    "docs": "realtimeqa/docs_2025.jsonl.gz",
    "conversations": "rumoureval2017/posts.dev.jsonl.gz",
    "stories": "weibo-ced-rumour/originals.dev.jsonl.gz",
    "crises": "crisislex/t26_labeled.dev.jsonl.gz",
    "channels": "telegram-ru-news/posts.jsonl.gz",
    "talk": "usc-x-24-us-election/posts.dev.jsonl.gz",
    "attacks": "safety-bipia/benchmark",
    "prompts": "safety-xstest/xstest_prompts.csv",
    "claims": "ground-wice/data/entailment_retrieval/claim/dev.jsonl",
    "climate": "ground-climatefever/dataset/climate-fever.jsonl",
    "summaries": "ground-qags/data",
    "texts": ".",
}
"""Where each file is in the folder of real data beside a checkout."""

NEEDS: Mapping[Part, tuple[str, ...]] = {
    "absence": ("posts",),
    "deletion": ("posts",),
    "determinism": ("posts",),
    "injection": ("attacks",),
    "languages": ("crises", "channels", "stories", "talk"),
    "latency": ("texts",),
    "news": ("questions", "docs"),
    "rumours": ("conversations", "stories"),
    "verifier": ("posts", "claims", "climate", "summaries"),
    "xstest": ("prompts",),
}

ABSENT, DELETED, REPEATED = 200, 1_000, 100

Tell = Callable[[str, int, int], None]


class Report(msgspec.Struct, kw_only=True):
    """What `fairwitness bench answers --json` prints. A part in `missing` has no key of its own."""

    citations: Cited | UnsetType = UNSET
    realtimeqa: News | UnsetType = UNSET
    rumours: Rumours | UnsetType = UNSET
    abstention: float | UnsetType = UNSET
    deleted_leakage: int | UnsetType = UNSET
    deletion: Deletion | UnsetType = UNSET
    deterministic: int | UnsetType = UNSET
    """Of so many questions, asked in two homes that were fed the same, answered alike."""
    repeated: int | UnsetType = UNSET
    injection: Injection | UnsetType = UNSET
    languages: dict[str, Language] | UnsetType = UNSET
    verifier: Verification | UnsetType = UNSET
    xstest: Refusals | UnsetType = UNSET
    latency_ms: Latency | UnsetType = UNSET
    standings: dict[str, int] = {}
    """How many of all answers were given with which standing."""
    missing: dict[str, str] = {}
    most: int = 0
    """Questions of a large set that were asked, evenly chosen; 0 for all."""
    model: str = ""
    machine: str = ""
    commit: str = ""


class Timed(NamedTuple):
    """What questions are timed in."""

    posts: int = 1_000_000
    folder: Path | None = None
    """Where the home stays for another run; None for a temporary one."""


@dataclass
class Bench:
    """One run."""

    paths: Mapping[str, Path]
    chat: Chat
    most: int
    tell: Tell
    timed: Timed
    answers: list[Answer] = field(default_factory=list)
    report: Report = field(default_factory=Report)

    @contextmanager
    def hearing(self) -> Iterator[Hearing]:
        """Open an empty home; what it answers is judged with the rest."""
        with tempfile.TemporaryDirectory(prefix="fairwitness-bench-") as folder:
            opened = Hearing(Path(folder), self.chat)
            try:
                yield opened
            finally:
                self.answers += opened.answers
                opened.close()


_TIMED = Timed()


def bench_answers(
    paths: Mapping[str, Path],
    parts: tuple[Part, ...],
    chat: Chat,
    *,
    most: int,
    tell: Tell,
    timed: Timed = _TIMED,
) -> Report:
    """Measure `parts`; `paths` names files by the keys of FILES, those that are there."""
    bench = Bench(paths, chat, most, tell, timed)
    for part in PARTS:
        lacking = [name for name in NEEDS[part] if name not in paths]
        if part not in parts:
            bench.report.missing[part] = "not asked for"
        elif lacking:
            bench.report.missing[part] = f"no file for --{lacking[0]}"
        else:
            tell(part, 0, 1)
            _MEASURE[part](bench)
    model = chat()
    report = bench.report
    report.citations = cited(bench.answers)
    report.standings = dict(Counter(answer.standing for answer in bench.answers))
    report.most, report.model = most, model.name if model else "none"
    report.machine, report.commit = machine(), commit()
    return report


def _absence(bench: Bench) -> None:
    with bench.hearing() as hearing:
        hearing.take_posts(posts_in(bench.paths["posts"]))
        questions = absent.absent_questions(hearing, ABSENT)
        bench.report.abstention = absent.abstention([hearing.ask(q) for q in questions])


def _deletion(bench: Bench) -> None:
    posts = posts_in(bench.paths["posts"])
    with bench.hearing() as hearing:
        hearing.take_posts(posts)
        bench.report.deletion = absent.deletion(hearing, posts, DELETED)
        bench.report.deleted_leakage = bench.report.deletion.leaked


def _determinism(bench: Bench) -> None:
    posts = posts_in(bench.paths["posts"])
    with bench.hearing() as one, bench.hearing() as other:
        one.take_posts(posts)
        other.take_posts(posts)
        questions = absent.own_questions(posts, REPEATED)
        same = [one.ask(q).but_for_time() == other.ask(q).but_for_time() for q in questions]
    bench.report.deterministic, bench.report.repeated = sum(same), len(same)


def _injection(bench: Bench) -> None:
    with bench.hearing() as hearing:
        attacks = planted.attacks_in(bench.paths["attacks"])
        bench.report.injection = planted.injection(hearing, attacks)


def _languages(bench: Bench) -> None:
    asked = askings(bench.paths.get("sets", BUNDLED))
    with bench.hearing() as hearing:
        for name in NEEDS["languages"]:
            hearing.take_posts(posts_in(bench.paths[name]))
        found = outcomes(hearing, asked, lambda done, total: bench.tell("languages", done, total))
    bench.report.languages = languages(found)


def _latency(bench: Bench) -> None:
    home, texts = bench.timed.folder, bench.paths["texts"]
    bench.report.latency_ms, answers = latency(
        home,
        texts,
        bench.chat,
        bench.timed.posts,
        lambda done, total: bench.tell("latency", done, total),
    )
    bench.answers += answers


def _news(bench: Bench) -> None:
    pages = list(rows_of(bench.paths["docs"]))
    rows = weekly.of_the_time(list(rows_of(bench.paths["questions"])), pages, bench.most)
    with bench.hearing() as hearing:
        outcomes = weekly.ask_the_news(
            hearing, rows, pages, lambda done, total: bench.tell("news", done, total)
        )
    bench.report.realtimeqa = weekly.news(outcomes)


def _rumours(bench: Bench) -> None:
    with bench.hearing() as hearing, bench.hearing() as alone:
        paths = bench.paths
        bench.report.rumours = rumours.rumours(
            hearing, paths["conversations"], alone, paths["stories"], bench.most
        )


def _xstest(bench: Bench) -> None:
    bench.report.xstest = refusals(bench.paths["prompts"])


def _verifier(bench: Bench) -> None:
    verifier = the_verifier()
    if verifier is None:
        bench.report.missing["verifier"] = f"`fairwitness models pull {ENCODER}` was not run"
        return
    paths = bench.paths
    sets = {
        "wice": entailed.wice(paths["claims"]),
        "climate_fever": entailed.climate_fever(paths["climate"]),
        "qags": entailed.qags(paths["summaries"]),
        "perturbed": entailed.made(paths["posts"]),
    }
    some = {
        name: pairs[:: max(1, len(pairs) // bench.most) if bench.most else 1]
        for name, pairs in sets.items()
    }
    agreed = {
        "climate_fever": people.people(people.climate_votes(paths["climate"])),
        "qags": people.people(people.qags_votes(paths["summaries"])),
    }
    bench.report.verifier = entailed.verification(
        verifier, some, agreed, lambda done, total: bench.tell("verifier", done, total)
    )


_MEASURE: Mapping[Part, Callable[[Bench], None]] = {
    "absence": _absence,
    "deletion": _deletion,
    "determinism": _determinism,
    "injection": _injection,
    "languages": _languages,
    "latency": _latency,
    "news": _news,
    "rumours": _rumours,
    "verifier": _verifier,
    "xstest": _xstest,
}
