"""MLServer's scikit-learn runtime with adaptive batching: `serving_mlserver.py MODEL.joblib PORT`."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path


def main() -> int:
    model, port = sys.argv[1], int(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        settings = {"host": "127.0.0.1", "http_port": port, "grpc_port": port + 1, "metrics_port": port + 2}
        settings |= {"parallel_workers": 0, "debug": False, "metrics_endpoint": None}
        (place / "settings.json").write_text(json.dumps(settings))
        described = {"name": "bench", "implementation": "mlserver_sklearn.SKLearnModel"}
        described |= {"parameters": {"uri": model}, "max_batch_size": 32, "max_batch_time": 0.001}
        (place / "model-settings.json").write_text(json.dumps(described))
        return subprocess.run([Path(sys.executable).parent / "mlserver", "start", folder], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
