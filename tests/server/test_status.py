"""How everything stands, for people, for a load balancer and for Prometheus."""

import json
import re

import httpx2

_SAMPLE = re.compile(r'^(fw_[a-z]+_[a-z_]+)(\{(?:[a-z]+="(?:[^"\\\n]|\\.)*",?)*\})? (\S+)$')


def parsed(text: str) -> dict[str, float]:
    """Read Prometheus' text format: every line must be a comment or a sample of a known metric."""
    samples, kinds = {}, {}
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in kinds
            kinds[name] = kind
        elif not line.startswith("# HELP "):
            match = _SAMPLE.match(line)
            assert match, line
            name = re.sub(r"_(bucket|sum|count)$", "", match[1])
            assert match[1] in kinds or kinds[name] == "histogram"
            samples[match[1] + (match[2] or "")] = float(match[3])
    return samples


def test_the_status_counts_what_is_there(reading) -> None:
    status = reading.client.get("/v1/status").json()
    assert status["posts"] == 7
    assert status["networks"] == {"mastodon": 7}
    assert status["newest_seen_at"] == "2026-11-20T08:06:00Z"
    assert status["newest_age_s"] > 0
    assert status["virtual"] is False
    (source,) = status["sources"]
    assert (source["name"], source["events"], source["state"]) == ("test", 7, "idle")
    assert status["model"] == {"name": "", "state": "none", "message": ""}
    assert status["position"]["log"] > 0
    assert set(status["versions"]) == {"fairwitness", "python", "jax"}


def test_the_status_streams_until_the_server_stops(served) -> None:
    with served.client.stream("GET", "/v1/status/stream") as reply:
        assert reply.headers["cache-control"] == "no-store"
        stream = iter(httpx2.EventSource(reply))
        ticks = [json.loads(next(stream).data) for _ in range(2)]
        assert [tick["posts"] for tick in ticks] == [7, 7]
        assert ticks[0]["now"] < ticks[1]["now"]
        served.stop()
        assert all(event.event == "status" for event in stream), "the stream ended by itself"


def test_health_and_readiness(reading) -> None:
    assert reading.client.get("/healthz").json()["status"] == "serving"
    ready = reading.client.get("/readyz")
    assert (ready.status_code, ready.json()["ready"]) == (200, True)


def test_a_model_that_cannot_be_loaded_is_told_and_quotes_still_answer(
    tmp_path, serving, wait_until, caplog
) -> None:
    def load() -> None:
        raise ValueError("no such file: model.gguf")

    with serving(tmp_path / "home", load_chat=load) as running:
        chat = running.house.chat
        wait_until(lambda: chat.report().state == "failed")
        status = running.client.get("/v1/status").json()
        assert status["model"]["message"] == "no such file: model.gguf"
        question = {"question": "Who gives bread away?"}
        assert not running.client.post("/v1/ask", json=question).json()["abstained"]
    assert "could not be loaded" in caplog.text


def test_metrics_are_what_prometheus_reads(served, wait_until) -> None:
    before = parsed(served.client.get("/metrics").text)
    assert before["fw_index_posts"] == 7
    assert before['fw_posts_events_total{source="test"}'] == 7
    assert before["fw_answers_questions_total"] == 0
    assert before["fw_server_rss_bytes"] > 10_000_000
    assert before["fw_server_writer_rss_bytes"] > 10_000_000
    for question in ("Who gives bread away?", "Who won the chess final?"):
        served.client.post("/v1/ask", json={"question": question})
    wait_until(lambda: not served.house.answering.in_flight)  # a thread ends after its answer
    reply = served.client.get("/metrics")
    assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
    after = parsed(reply.text)
    assert after["fw_answers_questions_total"] == 2
    assert after["fw_answers_abstentions_total"] == 1
    assert after["fw_answers_first_sentence_seconds_count"] == 1
    assert after["fw_answers_total_seconds_count"] == 2
    assert after['fw_answers_total_seconds_bucket{le="+Inf"}'] == 2
    buckets = [v for name, v in after.items() if "total_seconds_bucket" in name]
    assert buckets == sorted(buckets)
    assert 0 < after["fw_answers_total_seconds_sum"] < 20
    assert after["fw_answers_in_flight"] == 0


def test_a_hostile_name_of_a_source_cannot_break_the_format(tmp_path, serving, filled) -> None:
    home = filled(tmp_path / "home", source='bad"} 1\nfw_index_posts{x="\\')
    with serving(home) as running:
        samples = parsed(running.client.get("/metrics").text)
    assert samples["fw_index_posts"] == 7
