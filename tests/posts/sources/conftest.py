"""Loopback servers for the networks, and the captures that they serve."""

import importlib.util
import json
from pathlib import Path

import pytest

FRAMES = Path("data/bluesky-jetstream-frames/internal")


def _load(name: str):
    """Import a server that stands beside this file."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def bluesky_servers():
    return _load("servers_bluesky")


@pytest.fixture(scope="session")
def mastodon_servers():
    return _load("servers_mastodon")


@pytest.fixture(scope="session")
def relay_frames():
    return _load("relay_frames")


@pytest.fixture(scope="session")
def jetstream_events(shared) -> list[dict]:
    """152 events as production Jetstream v1 told them."""
    lines = (shared / FRAMES / "corpus/testdata/expected_v1.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture(scope="session")
def jetstream_dictionaries(shared) -> dict[int, bytes]:
    folder = shared / FRAMES / "subscribe/dictionaries"
    return {
        1612007021: (folder / "legacy_subscribe.zdict").read_bytes(),
        20260811: (folder / "subscribe_events_20260811.zdict").read_bytes(),
    }
