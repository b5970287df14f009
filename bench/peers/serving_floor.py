"""The least that could do the job: Granian, one micro-batch a turn of the loop, onnxruntime; no validation, routing or record.

`serving_floor.py MODEL.onnx PORT`: POST /predict, a JSON list of rows of numbers in, a list of probabilities out.
"""

import asyncio
import sys

import msgspec
import numpy as np
import onnxruntime
import uvloop
from granian.constants import Interfaces
from granian.server.embed import Server

decode, encode = msgspec.json.Decoder(list[list[float]]).decode, msgspec.json.Encoder().encode


def main() -> None:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
    given = session.get_inputs()[0]
    dtype = np.float64 if "double" in given.type else np.float32
    scores = session.get_outputs()[-1].name
    waiting: list[tuple[np.ndarray, asyncio.Future]] = []

    def flush() -> None:
        batch = waiting[:]
        waiting.clear()
        found = session.run([scores], {given.name: np.concatenate([rows for rows, _ in batch])})[0]
        at = 0
        for rows, future in batch:
            future.set_result(found[at : at + len(rows)])
            at += len(rows)

    async def app(_scope, protocol) -> None:
        rows = np.asarray(decode(await protocol()), dtype=dtype)
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        if not waiting:
            loop.call_soon(flush)
        waiting.append((rows, future))
        answer = await future
        protocol.response_bytes(200, [("content-type", "application/json")], encode(answer.tolist()))

    async def serve() -> None:
        await Server(
            app,
            address="127.0.0.1",
            port=int(sys.argv[2]),
            interface=Interfaces.RSGI,
            log_enabled=False,
            websockets=False,
        ).serve()

    uvloop.run(serve())


if __name__ == "__main__":
    main()
