"""LitServe with the model as it is, batching on: `serving_litserve.py MODEL.joblib PORT`."""

import sys

import joblib
import litserve
import numpy as np


class Bench(litserve.LitAPI):
    def setup(self, device: str) -> None:
        del device
        self.model = joblib.load(sys.argv[1])

    def decode_request(self, request):
        return np.asarray(request["rows"])

    def batch(self, inputs):
        self.sizes = [len(rows) for rows in inputs]
        return np.concatenate(inputs)

    def predict(self, rows):
        return self.model.predict_proba(rows)

    def unbatch(self, output):
        return np.split(output, np.cumsum(self.sizes)[:-1])

    def encode_response(self, output):
        return {"probabilities": output.tolist()}


if __name__ == "__main__":
    api = Bench(max_batch_size=32, batch_timeout=0.001)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1, track_requests=False)
    server.run(
        host="127.0.0.1", port=int(sys.argv[2]), num_api_servers=1, generate_client_file=False, log_level="error"
    )
