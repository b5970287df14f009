"""The pods of a project in a cluster: which process, with which rights, room and health checks. Pure.

Two kinds: inference (any number, each one process; the cluster restarts and counts them) and control (one: the loop and its door).
They share the database and the buckets named by a secret, and the folder of the record, which is a volume that many may write.
"""

from typing import Any

from homeostat.app.export.target import CONFIGURATION, HOME, RECORDS, STATE, USER_ID, Asked
from homeostat.app.record_key import FILE, VARIABLE

Json = dict[str, Any]
_KEY_FOLDER = "/run/homeostat"
_LINGER_S = 5  # until every proxy has heard that the pod goes


def labels(asked: Asked, part: str) -> Json:
    return {
        "app.kubernetes.io/name": asked.name,
        "app.kubernetes.io/component": part,
        "app.kubernetes.io/managed-by": "homeostat",
    }


def secret(asked: Asked) -> str:
    """The name of the secret with HOMEOSTAT_DATABASE, HOMEOSTAT_ARTIFACTS and AWS_*."""
    return f"{asked.name}-homeostat"


def record_key(asked: Asked) -> str | None:
    """The name of the secret with the key under which the record hashes personal columns; None where it hashes none."""
    return f"{asked.name}-record-key" if asked.place.project.record.hash else None


def inference(asked: Asked, *, container: str = "inference") -> Json:
    """Return the pod of an inference process; its state is a cache, its record a shared volume."""
    port = asked.place.project.serve.port
    return _pod(
        asked,
        container=container,
        command=["python", "-m", "homeostat.app.inference", f"{HOME}/{CONFIGURATION}", "$(POD_NAME)"],
        port=port,
        live="/health/live",
        ready="/health",
        state={"emptyDir": {"sizeLimit": "20Gi"}},
        resources={"requests": {"cpu": "500m", "memory": "512Mi"}, "limits": {"memory": "2Gi"}},
    )


def control(asked: Asked) -> Json:
    """Return the pod of the control process, whose state (tables, quarantine) is a volume of its own."""
    return _pod(
        asked,
        container="control",
        command=["python", "-m", "homeostat.web.control", f"{HOME}/{CONFIGURATION}"],
        port=asked.place.project.serve.control_port,
        live="/health",
        ready="/health",
        state={"persistentVolumeClaim": {"claimName": f"{asked.name}-state"}},
        resources={"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"memory": "4Gi"}},
    )


def _pod(
    asked: Asked, *, container: str, command: list[str], port: int, live: str, ready: str, state: Json, resources: Json
) -> Json:
    key = record_key(asked)
    mounted = [] if key is None else [{"name": "record-key", "mountPath": _KEY_FOLDER, "readOnly": True}]
    held = [] if key is None else [{"name": "record-key", "secret": {"secretName": key, "defaultMode": 0o400}}]
    return {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": int(asked.place.project.serve.drain.total_seconds()) + _LINGER_S + 10,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER_ID,
            "runAsGroup": USER_ID,
            "fsGroup": USER_ID,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": container,
                "image": asked.image,
                "command": command,
                "ports": [{"name": "http", "containerPort": port, "protocol": "TCP"}],
                "envFrom": [{"secretRef": {"name": secret(asked)}}],
                "env": _environment(asked),
                "resources": resources,
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
                "startupProbe": _probe(live, port, period_s=2, failures=60),
                "livenessProbe": _probe(live, port, period_s=10, failures=3),
                "readinessProbe": _probe(ready, port, period_s=2, failures=2),
                "lifecycle": {"preStop": {"exec": {"command": ["sleep", str(_LINGER_S)]}}},
                "volumeMounts": [
                    {"name": "state", "mountPath": STATE},
                    {"name": "records", "mountPath": RECORDS},
                    {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - a path inside the container
                    *mounted,
                ],
            }
        ],
        "volumes": [
            {"name": "state", **state},
            {"name": "records", "persistentVolumeClaim": {"claimName": f"{asked.name}-records"}},
            {"name": "tmp", "emptyDir": {"sizeLimit": "5Gi"}},
            *held,
        ],
    }


def _environment(asked: Asked) -> list[Json]:
    names = [
        f"{asked.name}-{part}{suffix}"
        for part in ("inference", "control")
        for suffix in ("", ".$(NAMESPACE)", ".$(NAMESPACE).svc", ".$(NAMESPACE).svc.cluster.local")
    ]
    key = [] if record_key(asked) is None else [{"name": VARIABLE, "value": f"{_KEY_FOLDER}/{FILE}"}]
    return [
        *key,
        {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
        {"name": "HOMEOSTAT_RECORDS", "value": RECORDS},
        {"name": "HOMEOSTAT_ALLOWED_HOSTS", "value": ",".join(names)},
        {"name": "HOME", "value": "/tmp"},  # noqa: S108 - a path inside the container
    ]


def _probe(path: str, port: int, *, period_s: int, failures: int) -> Json:
    return {
        "httpGet": {"path": path, "port": port},
        "periodSeconds": period_s,
        "timeoutSeconds": 2,
        "failureThreshold": failures,
    }
