"""What `homeostat export` writes, held against the published schemas of Kubernetes and the rules of a hardened pod."""

import kubernetes_validate
import pytest
import yaml

from homeostat.app.export.target import dns_label
from homeostat.app.export.targets import targets
from homeostat.app.exporting import export
from homeostat.app.project import load
from homeostat.core.errors import InvalidInput, NotFound
from homeostat.storage.records import FileRecords

_PROJECT = """
model: Churn_EU
task: binary
data: {source: a.csv, target: gone}
serve: {port: 8800, workers: 4}
"""
# What the CRD of serving.kserve.io/v1beta1 adds to a PodSpec (kserve/kserve, pkg/apis/serving/v1beta1/component.go and predictor.go)
_EXTENSION = {
    "minReplicas": int, "maxReplicas": int, "scaleTarget": int, "scaleMetric": str, "containerConcurrency": int, "timeout": int,
    "canaryTrafficPercent": int, "logger": dict, "batcher": dict, "labels": dict, "annotations": dict, "deploymentStrategy": dict,
}  # fmt: skip


@pytest.fixture
def place(tmp_path):
    (tmp_path / "homeostat.yaml").write_text(_PROJECT)
    return load(tmp_path / "homeostat.yaml")


def objects(place, target):
    files, _ = export(place, target, folder=None, image="registry.example/churn:1")
    return [each for file in files for each in yaml.safe_load_all(file.read_text())]


def pods(place):
    found = objects(place, "kubernetes")
    own = [each["spec"]["template"]["spec"] for each in found if each["kind"] == "Deployment"]
    (service,) = objects(place, "kserve")
    return [*own, service["spec"]["predictor"]]


def test_every_target_is_found():
    assert set(targets()) == {"docker", "grafana", "kubernetes", "kserve"}


def test_manifests_are_valid_by_the_published_schemas(place):
    found = objects(place, "kubernetes")
    for each in found:
        kubernetes_validate.validate(each, "1.33", strict=True)
    kinds = [each["kind"] for each in found]
    assert set(kinds) == {
        "PersistentVolumeClaim", "Deployment", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget", "NetworkPolicy",
    }  # fmt: skip


def test_a_field_that_kubernetes_does_not_know_would_be_noticed(place):
    deployment = next(each for each in objects(place, "kubernetes") if each["kind"] == "Deployment")
    deployment["spec"]["template"]["spec"]["containers"][0]["readOnly"] = True
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(deployment, "1.33", strict=True)


def test_the_inference_service_is_a_pod_with_what_kserve_adds(place):
    (service,) = objects(place, "kserve")
    assert (service["apiVersion"], service["kind"]) == ("serving.kserve.io/v1beta1", "InferenceService")
    assert set(service) == {"apiVersion", "kind", "metadata", "spec"}
    assert set(service["spec"]) == {"predictor"}
    predictor = dict(service["spec"]["predictor"])
    for name, kind in _EXTENSION.items():
        assert isinstance(predictor.pop(name, kind()), kind)
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": service["metadata"], "spec": predictor}
    kubernetes_validate.validate(pod, "1.33", strict=True)
    assert [each["name"] for each in predictor["containers"]] == ["kserve-container"]
    assert service["spec"]["predictor"]["scaleMetric"] in ("cpu", "memory", "concurrency", "rps")


def test_every_pod_has_no_more_rights_than_it_needs(place):
    for pod in pods(place):
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] > 0
        assert pod["automountServiceAccountToken"] is False
        (container,) = pod["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {"startupProbe", "livenessProbe", "readinessProbe"} <= container.keys()
        assert container["resources"]["limits"]["memory"]
        assert not any("secret" in str(entry.get("value", "")).lower() for entry in container["env"])
        assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}


def test_pods_that_hash_share_one_key_that_a_secret_holds(tmp_path):
    hashing = "data: {source: a.csv, target: gone, time: day, key: [customer]}\nrecord: {hash: [customer]}"
    (tmp_path / "homeostat.yaml").write_text(_PROJECT.replace("data: {source: a.csv, target: gone}", hashing))
    place = load(tmp_path / "homeostat.yaml")
    for each in objects(place, "kubernetes"):
        kubernetes_validate.validate(each, "1.33", strict=True)
    for pod in pods(place):
        (volume,) = [each for each in pod["volumes"] if "secret" in each]
        (mount,) = [each for each in pod["containers"][0]["volumeMounts"] if each["name"] == volume["name"]]
        (named,) = [each for each in pod["containers"][0]["env"] if each["name"] == "HOMEOSTAT_RECORD_KEY_FILE"]
        assert volume["secret"] == {"secretName": "churn-eu-record-key", "defaultMode": 0o400}
        assert named["value"] == f"{mount['mountPath']}/record.key"
    text = (place.root / "deploy/kubernetes/30-inference.yaml").read_text()
    assert "kubectl create secret generic churn-eu-record-key --from-file=record.key" in text


def test_selectors_budgets_and_scalers_mean_the_deployment(place):
    found = objects(place, "kubernetes")
    by_kind = {
        (each["kind"], each["metadata"]["name"]): each for each in found if each["kind"] != "PersistentVolumeClaim"
    }
    wanted = by_kind["Deployment", "churn-eu-inference"]["spec"]["template"]["metadata"]["labels"]
    assert by_kind["Service", "churn-eu-inference"]["spec"]["selector"] == wanted
    assert (
        by_kind["PodDisruptionBudget", "churn-eu-inference"]["spec"]["selector"]["matchLabels"].items()
        <= wanted.items()
    )
    assert (
        by_kind["NetworkPolicy", "churn-eu-inference"]["spec"]["podSelector"]["matchLabels"].items() <= wanted.items()
    )
    scaled = by_kind["HorizontalPodAutoscaler", "churn-eu-inference"]["spec"]["scaleTargetRef"]
    assert (scaled["kind"], scaled["name"]) == ("Deployment", "churn-eu-inference")
    claims = {each["metadata"]["name"] for each in found if each["kind"] == "PersistentVolumeClaim"}
    used = {
        v["persistentVolumeClaim"]["claimName"]
        for pod in pods(place)
        for v in pod["volumes"]
        if "persistentVolumeClaim" in v
    }
    assert used == claims


def test_the_container_runs_the_same_project_open_to_its_network(place):
    files, command = export(place, "docker", folder=None, image=None)
    inside = load(place.root / "deploy/docker/homeostat.container.yaml").project
    assert inside.serve.host == "0.0.0.0"
    assert inside.serve.port == place.project.serve.port
    assert inside.data == place.project.data
    assert command == "docker build -f deploy/docker/Dockerfile -t churn-eu:0.1.0 ."
    assert {file.name for file in files} == {
        "Dockerfile",
        "Dockerfile.dockerignore",
        "requirements.txt",
        "homeostat.container.yaml",
    }


def test_the_image_is_pinned_and_runs_without_root(place):
    (place.root / "requirements.txt").write_text("scikit-learn<2\n")
    export(place, "docker", folder=None, image=None)
    text = (place.root / "deploy/docker/Dockerfile").read_text()
    steps = [line.split()[0] for line in text.splitlines() if line and line[0].isupper()]
    assert steps.count("FROM") == 2
    assert "USER 10001:10001" in text
    assert text.index("USER 10001") > text.index("COPY --chown=root:root . ")
    requirements = (place.root / "deploy/docker/requirements.txt").read_text().splitlines()
    assert requirements[0].startswith("homeostat[")
    assert requirements[-1] == "scikit-learn<2"
    assert all("==" in line for line in requirements[:-1])
    assert any(line.startswith("numpy==") for line in requirements)
    assert not any(line.startswith("scikit-learn==") for line in requirements)
    assert "://" not in "".join(requirements)


def test_the_longest_name_of_a_worker_is_one_for_the_record(tmp_path):
    pod = f"{dns_label('x' * 100)}-inference-{'a' * 10}-{'b' * 5}"
    FileRecords(tmp_path, writer_id=f"worker-{pod}")


def test_an_unknown_target_is_told_with_near_names(place):
    with pytest.raises(NotFound, match="kubernets") as caught:
        export(place, "kubernets", folder=None, image=None)
    assert "kubernetes" in caught.value.hint


@pytest.mark.parametrize("folder", [".", "..", "/"])
def test_files_stay_in_the_project(place, folder):
    from pathlib import Path

    with pytest.raises(InvalidInput, match="not a folder in the project"):
        export(place, "docker", folder=Path(folder), image=None)
