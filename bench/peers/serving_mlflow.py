"""`mlflow models serve`: `serving_mlflow.py MODEL.joblib PORT`."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path


def main() -> int:
    import joblib
    import mlflow.sklearn

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "model"
        mlflow.sklearn.save_model(
            joblib.load(sys.argv[1]), place, serialization_format="cloudpickle", pyfunc_predict_fn="predict_proba"
        )
        command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(place), "--env-manager", "local"]
        environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        return subprocess.run(
            [*command, "-h", "127.0.0.1", "-p", sys.argv[2], "-w", "1"], env=environment, check=False
        ).returncode


if __name__ == "__main__":
    os.environ |= {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
    sys.exit(main())
