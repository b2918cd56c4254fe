"""Tests of the manifests: against the schemas of Kubernetes, the rules for `restricted` pods, and each other."""

from __future__ import annotations

import copy
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from exporter import DEFAULT_PORT, __version__
from exporter.config import load
from exporter.daemon.options import FLAGS
from tests.containers.files import DASHBOARDS, KUBERNETES, manifest, read
from tests.servers.process import binary

CORE = ["namespace", "statefulset", "service", "networkpolicy", "poddisruptionbudget"]
OPERATOR = ["servicemonitor", "prometheusrule"]
OLDEST, NEWEST = "1.28", "1.37"
NAME = {"app.kubernetes.io/name": "mailprobe"}
MIB = 1024 * 1024


def pod() -> Any:
    return manifest("statefulset")["spec"]["template"]


def container() -> Any:
    (found,) = pod()["spec"]["containers"]
    return found


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("name", CORE)
def test_it_is_valid_for_kubernetes(name: str, version: str):
    kubernetes_validate.validate(manifest(name), version, strict=True)


def test_the_schema_would_tell_of_a_mistake():
    wrong = {**manifest("service"), "spec": {**manifest("service")["spec"], "clusterIp": "None"}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, NEWEST, strict=True)


def operator(*resources: Any) -> subprocess.CompletedProcess[str]:
    argv = [binary("node", "nodejs"), str(Path(__file__).with_name("operator.mjs"))]
    return subprocess.run(argv, input=json.dumps(resources), capture_output=True, text=True, timeout=60, check=False)


def test_the_operators_resources_are_valid_for_it():
    done = operator(*(manifest(name) for name in OPERATOR))
    assert done.returncode == 0, done.stderr


def test_the_operators_schema_would_tell_of_a_mistake():
    monitor = copy.deepcopy(manifest("servicemonitor"))
    monitor["spec"]["endpoints"][0]["interval"] = "soon"
    assert "interval must match pattern" in operator(monitor).stderr


def test_kustomize_has_every_file():
    kustomization = manifest("kustomization")
    assert sorted(kustomization["resources"]) == sorted(f"{name}.yaml" for name in CORE + OPERATOR)
    for generator in kustomization["configMapGenerator"]:
        assert all((KUBERNETES / file).exists() for file in generator["files"])
    (image,) = kustomization["images"]
    assert image["name"] == container()["image"]
    assert image["newTag"] == __version__
    assert kustomization["namespace"] == manifest("namespace")["metadata"]["name"]


def test_the_pod_is_restricted():
    """Pod Security Standards, level restricted."""
    assert manifest("namespace")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    spec, ours = pod()["spec"], container()["securityContext"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] == 65532
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert ours["allowPrivilegeEscalation"] is False
    assert ours["capabilities"] == {"drop": ["ALL"]}
    assert ours["readOnlyRootFilesystem"] is True
    assert spec["automountServiceAccountToken"] is False
    allowed = {"configMap", "secret", "emptyDir"}
    assert all(allowed.intersection(volume) for volume in spec["volumes"])


def test_every_mount_has_its_volume():
    claims = {claim["metadata"]["name"] for claim in manifest("statefulset")["spec"]["volumeClaimTemplates"]}
    volumes = {volume["name"] for volume in pod()["spec"]["volumes"]} | claims
    assert {mount["name"] for mount in container()["volumeMounts"]} == volumes


def test_there_are_as_many_pods_as_shards():
    spec = manifest("statefulset")["spec"]
    assert f"--total-shards={spec['replicas']}" in container()["args"]
    assert "--shard=auto" in container()["args"]
    (variable,) = container()["env"]
    assert variable == {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
    flags = {word.partition("=")[0] for word in container()["args"][1:]}
    assert flags <= {f"--{flag.name}" for flag in FLAGS}


def test_everybody_selects_the_same_pods():
    labels = pod()["metadata"]["labels"]
    assert labels == NAME
    assert manifest("statefulset")["spec"]["selector"]["matchLabels"] == NAME
    assert manifest("service")["spec"]["selector"] == NAME
    assert manifest("networkpolicy")["spec"]["podSelector"]["matchLabels"] == NAME
    assert manifest("poddisruptionbudget")["spec"]["selector"]["matchLabels"] == NAME
    assert manifest("statefulset")["spec"]["serviceName"] == manifest("service")["metadata"]["name"]


def test_the_port_is_ours_everywhere():
    (port,) = container()["ports"]
    assert port == {"name": "web", "containerPort": DEFAULT_PORT}
    (served,) = manifest("service")["spec"]["ports"]
    assert served == {"name": "web", "port": DEFAULT_PORT, "targetPort": "web"}
    (let_in,) = manifest("networkpolicy")["spec"]["ingress"]
    assert let_in["ports"] == [{"port": "web", "protocol": "TCP"}]


def test_health_never_depends_on_the_mail_services():
    paths = {name: container()[name]["httpGet"]["path"] for name in ("livenessProbe", "readinessProbe", "startupProbe")}
    assert paths == {"livenessProbe": "/-/healthy", "readinessProbe": "/-/ready", "startupProbe": "/-/ready"}


def test_it_may_reach_dns_and_the_mail_ports():
    ports = {port["port"] for rule in manifest("networkpolicy")["spec"]["egress"] for port in rule["ports"]}
    assert ports == {53, 25, 110, 143, 443, 465, 587, 993, 995}


def test_the_monitor_finds_the_service_and_calls_its_job_mailprobe():
    monitor = manifest("servicemonitor")
    assert (monitor["apiVersion"], monitor["kind"]) == ("monitoring.coreos.com/v1", "ServiceMonitor")
    service = manifest("service")
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert service["metadata"]["labels"][monitor["spec"]["jobLabel"]] == "mailprobe"
    (endpoint,) = monitor["spec"]["endpoints"]
    assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
    for key in ("interval", "scrapeTimeout"):
        assert re.fullmatch(r"\d+s", endpoint[key])
    # Labels that the operator adds would split every alert by pod.
    (dropped,) = (each["regex"] for each in endpoint["relabelings"] if each.get("action") == "labeldrop")
    assert set(dropped.split("|")) == {"pod", "container", "endpoint", "service"}


def test_the_configuration_reads_its_password_where_the_secret_is_mounted():
    (problem,) = load(KUBERNETES / "config.yaml").problems()
    assert str(problem).endswith("password_file: cannot be read: No such file or directory")
    (mailbox,) = read(KUBERNETES / "config.yaml")["mailboxes"]
    (mount,) = (each for each in container()["volumeMounts"] if each["name"] == "passwords")
    assert mailbox["password_file"].startswith(mount["mountPath"] + "/")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_dashboard_is_a_config_map_that_grafana_finds(language: str):
    folder = DASHBOARDS / language
    kustomization = read(folder / "kustomization.yaml")
    assert kustomization["generatorOptions"]["labels"]["grafana_dashboard"] == "1"
    maps = kustomization["configMapGenerator"]
    assert sorted(file for each in maps for file in each["files"]) == sorted(
        path.name for path in folder.glob("*.json")
    )
    assert all(len(each["files"]) == 1 for each in maps)
    assert len({each["name"] for each in maps}) == len(maps)
    assert all(each["name"].endswith("-zh") == (language == "zh") for each in maps)
    # The size limit of a ConfigMap, with space for its other fields.
    assert all(path.stat().st_size < MIB - 4096 for path in folder.glob("*.json"))
