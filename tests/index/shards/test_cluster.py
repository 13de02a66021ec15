"""The command line of a cluster, and the manifests that say how one is made on Kubernetes."""

import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import msgspec
import pytest

pytest.importorskip("ray", reason="NO RAY HERE: pip install -e '.[dev]'")

import ray
import yaml

from fairwitness.index.shards import Cluster, ClusterFault, Plan
from fairwitness.index.shards.__main__ import main
from fairwitness.index.shards.local import NatsServer

DEPLOY = Path(__file__).parents[3] / "deploy"


def test_a_cluster_comes_up_and_ends_from_the_command_line(
    nats: NatsServer, one_node: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = Plan(servers=(nats.url,), folder=str(tmp_path), shards=2, replicas=1, name="line")
    path = tmp_path / "plan.json"
    path.write_bytes(msgspec.json.encode(plan))
    assert main(["up", str(path)]) == 0
    told = capsys.readouterr().out
    assert "shard 1 replica 0: serves, at 0 of 0" in told
    assert "2 of 2 shards answer" in told
    first = pids(plan)
    assert main(["up", str(path)]) == 0  # finds what is there
    assert pids(plan) == first
    assert main(["end", str(path)]) == 0
    with pytest.raises(ValueError, match="shard-0-replica-0"):
        ray.get_actor("shard-0-replica-0", namespace="line")


def pids(plan: Plan) -> set[int]:
    cluster = Cluster(plan)
    found = {each.pid for each in cluster.standing().values() if each}
    cluster.close()
    return found


@pytest.mark.parametrize("text", ["", "{}", '{"servers": "x", "folder": "y"}'])
def test_a_plan_that_cannot_be_read_is_named(
    tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "plan.json"
    path.write_text(text)
    assert main(["status", str(path)]) == 1
    assert f"cannot read the plan {path}" in capsys.readouterr().err


def manifests(name: str) -> dict[str, Any]:
    """Return the documents of a file of manifests by kind."""
    return {each["kind"]: each for each in yaml.safe_load_all((DEPLOY / name).read_text())}


def test_the_servers_take_their_configuration(tmp_path: Path) -> None:
    config = tmp_path / "nats.conf"
    config.write_text(manifests("nats.yaml")["ConfigMap"]["data"]["nats.conf"])
    server = Path(sysconfig.get_path("scripts")) / "nats-server"
    done = subprocess.run(
        [server, "-t", "-c", config],
        env={"POD_NAME": "fairwitness-nats-0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "sync_interval: always" in config.read_text()


def test_the_manifests_agree_with_each_other() -> None:
    parts, servers = manifests("ray.yaml"), manifests("nats.yaml")["StatefulSet"]
    plan = msgspec.json.decode(parts["ConfigMap"]["data"]["plan.json"], type=Plan)
    name, service = servers["metadata"]["name"], servers["spec"]["serviceName"]
    assert plan.servers == tuple(
        f"nats://{name}-{n}.{service}:4222" for n in range(servers["spec"]["replicas"])
    )
    assert plan.copies == len(plan.servers)
    (workers,) = parts["RayCluster"]["spec"]["workerGroupSpecs"]
    places = workers["replicas"] * int(workers["rayStartParams"]["num-cpus"])
    assert places >= plan.shards * plan.replicas
    (container,) = workers["template"]["spec"]["containers"]
    assert plan.folder in {each["mountPath"] for each in container["volumeMounts"]}
    assert parts["RayCluster"]["spec"]["rayVersion"] == ray.__version__
    selector = parts["RayJob"]["spec"]["clusterSelector"]["ray.io/cluster"]
    assert selector == parts["RayCluster"]["metadata"]["name"]


def test_without_ray_it_says_so(nats: NatsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    with pytest.raises(ClusterFault, match=r"call ray\.init"):
        Cluster(Plan(servers=(nats.url,), folder="", name="none"))
