"""Loopback servers for the networks, and the captures that they serve."""

import json
import sys
from pathlib import Path

import pytest

# Servers and helpers stand beside the tests and are imported by their names.
sys.path.append(str(Path(__file__).parent))
import servers_bluesky

FRAMES = Path("data/bluesky-jetstream-frames/internal")


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


@pytest.fixture
def server_of(jetstream_dictionaries):
    def make(events, **options):
        return servers_bluesky.JetstreamServer(
            events, dictionaries=jetstream_dictionaries, **options
        )

    return make
