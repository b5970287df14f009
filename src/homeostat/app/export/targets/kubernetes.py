"""Manifests for a Kubernetes cluster: inference that scales, one control process, what they keep, and who may reach them."""

from typing import Any

from homeostat.app.export.documents import as_yaml
from homeostat.app.export.pods import control, inference, labels, record_key, secret
from homeostat.app.export.target import Asked, Target

Json = dict[str, Any]
_POSTGRES, _HTTPS, _DNS = 5432, 443, 53
_HEAD = """\
# Written by `homeostat export kubernetes`. Before it is applied, the secret {secret} must be there:
#   kubectl create secret generic {secret} --from-literal=HOMEOSTAT_DATABASE=postgresql+psycopg://... \\
#     --from-literal=HOMEOSTAT_ARTIFACTS=s3://bucket/prefix --from-literal=AWS_ACCESS_KEY_ID=... --from-literal=AWS_SECRET_ACCESS_KEY=...
"""
_HEAD_OF_KEY = """\
# and the key under which the record hashes (record.hash), the same for as long as the record is kept:
#   head -c 32 /dev/urandom > record.key && kubectl create secret generic {key} --from-file=record.key
"""


def files(asked: Asked) -> dict[str, str]:
    key = record_key(asked)
    head = _HEAD.format(secret=secret(asked)) + ("" if key is None else _HEAD_OF_KEY.format(key=key))
    return {
        "10-storage.yaml": as_yaml(
            [_claim(asked, "state", mode="ReadWriteOnce"), _claim(asked, "records", mode="ReadWriteMany")]
        ),
        "20-control.yaml": head + as_yaml([_control(asked), _service(asked, "control")]),
        "30-inference.yaml": head
        + as_yaml([_inference(asked), _service(asked, "inference"), _scaler(asked), _budget(asked)]),
        "40-network.yaml": as_yaml([_policy(asked, "inference"), _policy(asked, "control")]),
    }


def _named(asked: Asked, part: str) -> Json:
    return {"name": f"{asked.name}-{part}", "labels": labels(asked, part)}


def _claim(asked: Asked, what: str, *, mode: str) -> Json:
    spec = {"accessModes": [mode], "resources": {"requests": {"storage": "20Gi"}}}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": _named(asked, what), "spec": spec}


def _deployment(asked: Asked, part: str, pod: Json, **spec: Any) -> Json:
    template = {"metadata": {"labels": labels(asked, part)}, "spec": pod}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _named(asked, part),
        "spec": {**spec, "selector": {"matchLabels": labels(asked, part)}, "template": template},
    }


def _control(asked: Asked) -> Json:
    # one, and never two at once: its volume of tables has one writer
    return _deployment(asked, "control", control(asked), replicas=1, strategy={"type": "Recreate"})


def _inference(asked: Asked) -> Json:
    pod = inference(asked)
    spread = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": labels(asked, "inference")},
    }
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    # no `replicas`: the scaler's to say, and applying the file again must not undo it
    return _deployment(asked, "inference", {**pod, "topologySpreadConstraints": [spread]}, strategy=rolling)


def _port(asked: Asked, part: str) -> int:
    serve = asked.place.project.serve
    return serve.port if part == "inference" else serve.control_port


def _service(asked: Asked, part: str) -> Json:
    ports = [{"name": "http", "port": _port(asked, part), "targetPort": "http", "protocol": "TCP"}]
    spec = {"type": "ClusterIP", "selector": labels(asked, part), "ports": ports}
    return {"apiVersion": "v1", "kind": "Service", "metadata": _named(asked, part), "spec": spec}


def _scaler(asked: Asked) -> Json:
    name = f"{asked.name}-inference"
    busy = {
        "type": "Resource",
        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}},
    }
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": _named(asked, "inference"),
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "minReplicas": 2,
            "maxReplicas": 10,
            "metrics": [busy],
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 300}},
        },
    }


def _budget(asked: Asked) -> Json:
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": _named(asked, "inference"),
        "spec": {"minAvailable": 1, "selector": {"matchLabels": labels(asked, "inference")}},
    }


def _policy(asked: Asked, part: str) -> Json:
    """Pods of the same namespace may ask for predictions; the control port takes only pods that carry the label for it."""
    asking = {} if part == "inference" else {"matchLabels": {"homeostat.dev/control": "allowed"}}
    out = [
        {"ports": [{"protocol": protocol, "port": _DNS} for protocol in ("UDP", "TCP")]},
        {"ports": [{"protocol": "TCP", "port": port} for port in (_POSTGRES, _HTTPS)]},
    ]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": _named(asked, part),
        "spec": {
            "podSelector": {"matchLabels": labels(asked, part)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [
                {"from": [{"podSelector": asking}], "ports": [{"protocol": "TCP", "port": _port(asked, part)}]}
            ],
            "egress": out,
        },
    }


TARGET = Target(
    name="kubernetes",
    summary="manifests: inference that scales, one control process, volumes, network policies",
    files=files,
    next_step=lambda asked: f"kubectl apply -f {asked.folder}",
)
