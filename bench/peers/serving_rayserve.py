"""Ray Serve, one replica: `serving_rayserve.py MODEL.joblib PORT`. Ray listens beyond loopback unless told, and then without a password."""

import os
import secrets
import sys

os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}

import ray
from ray import serve
from starlette.requests import Request


@serve.deployment(num_replicas=1, max_ongoing_requests=64, ray_actor_options={"num_cpus": 0.5})
class Bench:
    def __init__(self, path: str) -> None:
        import joblib

        self.model = joblib.load(path)

    @serve.batch(max_batch_size=32, batch_wait_timeout_s=0.001)
    async def answer(self, batches):
        import numpy as np

        found = self.model.predict_proba(np.concatenate(batches))
        return np.split(found, np.cumsum([len(rows) for rows in batches])[:-1])

    async def __call__(self, request: Request):
        import numpy as np

        rows = np.asarray((await request.json())["rows"])
        return {"probabilities": (await self.answer(rows)).tolist()}


if __name__ == "__main__":
    ray.init(num_cpus=2, include_dashboard=False, _node_ip_address="127.0.0.1", log_to_driver=False)
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[2])})
    serve.run(Bench.bind(sys.argv[1]), route_prefix="/predict", blocking=True)
