"""Run by test_inference_clients.py under a Python that has `kserve`: asked_by_kserve.py URL GRPC_ADDRESS. Prints `done` where all is well."""

import asyncio
import sys

import grpc
import httpx
import numpy as np
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest
from kserve.inference_client import RESTConfig
from kserve.protocol.infer_type import RequestedOutput

LABELS = ["yes", "no"]
PROBABILITIES = [[0.0, 1.0], [0.875, 0.125]]


def request(*, model="late", is_binary, outputs=()):
    x = InferInput("x", [2], "FP64")
    x.set_data_from_numpy(np.array([0.25, 0.125]), binary_data=is_binary)
    city = InferInput("city", [2], "BYTES")
    city.set_data_from_numpy(np.array([b"Ulm", b"Bonn"], dtype=object), binary_data=is_binary)
    wanted = [RequestedOutput(name, {"binary_data": is_binary}) for name in outputs]
    return InferRequest(model, [x, city], request_outputs=wanted or None)


def check(answer):
    found = {output.name: output.as_numpy() for output in answer.outputs}
    labels = [label.decode() if isinstance(label, bytes) else str(label) for label in found["predict"].ravel()]
    assert labels == LABELS, labels
    assert found["probabilities"].tolist() == PROBABILITIES, found["probabilities"]
    assert answer.model_name == "late"


async def refusal(call):
    try:
        await call
    except (httpx.HTTPError, grpc.RpcError) as error:
        return error
    raise AssertionError("a model that is not there was asked")


async def over_rest(url):
    client = InferenceRESTClient(RESTConfig(protocol="v2", retries=0))
    assert await client.is_server_live(url) is True
    assert await client.is_server_ready(url) is True
    assert await client.is_model_ready(url, "late") is True
    assert await client.is_model_ready(url, "lat") is False
    for is_binary in (False, True):
        for outputs in ((), ("predict", "probabilities")):
            check(await client.infer(url, request(is_binary=is_binary, outputs=outputs), model_name="late"))
    error = await refusal(client.infer(url, request(model="lat", is_binary=False), model_name="lat"))
    assert isinstance(error, httpx.HTTPStatusError)
    assert error.response.status_code == 404
    assert "no model 'lat'" in str(error)
    await client.close()


async def over_grpc(address):
    async with InferenceGRPCClient(address, retries=0) as client:
        assert await client.is_server_live() is True
        assert await client.is_server_ready() is True
        assert await client.is_model_ready("late") is True
        for is_binary in (False, True):
            answer = await client.infer(request(is_binary=is_binary))
            check(answer)
            assert answer.model_version == "3"  # over REST the client drops it
        error = await refusal(client.infer(request(model="lat", is_binary=True)))
        assert isinstance(error, grpc.RpcError)
        assert error.code() is grpc.StatusCode.NOT_FOUND


async def main(url, address):
    await over_rest(url)
    await over_grpc(address)
    print("done")


asyncio.run(main(*sys.argv[1:]))
