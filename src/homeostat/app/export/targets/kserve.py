"""A KServe InferenceService: the inference pods, scaled by KServe. Control and volumes are those of the target `kubernetes`."""

from homeostat.app.export.documents import as_yaml
from homeostat.app.export.pods import inference, labels, secret
from homeostat.app.export.target import Asked, Target

_HEAD = """\
# Written by `homeostat export kserve`. It needs the secret {secret}, the volume {name}-records and the control process:
# `homeostat export kubernetes`, of which 30-inference.yaml is then left out.
"""


def files(asked: Asked) -> dict[str, str]:
    service = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {
            "name": asked.name,
            "labels": labels(asked, "inference"),
            # its own autoscaling on CPU, without Knative: the pods mount a volume, which Knative takes only by a feature flag
            "annotations": {"serving.kserve.io/deploymentMode": "RawDeployment"},
        },
        "spec": {
            "predictor": {
                "minReplicas": 2,
                "maxReplicas": 10,
                "scaleMetric": "cpu",
                "scaleTarget": 70,
                **inference(asked, container="kserve-container"),
            }
        },
    }
    head = _HEAD.format(secret=secret(asked), name=asked.name)
    return {"inference-service.yaml": head + as_yaml([service])}


TARGET = Target(
    name="kserve",
    summary="a KServe InferenceService",
    files=files,
    next_step=lambda asked: f"kubectl apply -f {asked.folder}",
)
