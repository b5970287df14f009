"""BentoML with the model as it is: `serving_bentoml.py MODEL.joblib PORT`."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

MODEL, PORT = os.environ.get("BENCH_MODEL") or sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""

try:
    import bentoml
except ModuleNotFoundError:
    sys.exit("bentoml is not installed here")


@bentoml.service(workers=1, traffic={"timeout": 60})
class Bench:
    def __init__(self) -> None:
        import joblib

        self.model = joblib.load(MODEL)

    @bentoml.api(batchable=True, max_batch_size=256, max_latency_ms=50)
    def predict(self, rows: np.ndarray) -> np.ndarray:
        return self.model.predict_proba(rows)


if __name__ == "__main__":
    environment = {**os.environ, "BENCH_MODEL": MODEL, "DO_NOT_TRACK": "1", "BENTOML_DO_NOT_TRACK": "1"}
    command = [sys.executable, "-m", "bentoml", "serve", "serving_bentoml:Bench", "--host", "127.0.0.1", "-p", PORT]
    sys.exit(subprocess.run(command, env=environment, cwd=Path(__file__).parent, check=False).returncode)
