"""Answers as columns: `prediction`, and `score_CLASS` where the model gives scores."""

from typing import TYPE_CHECKING

from homeostat.core.columns import Signature
from homeostat.serve.answer import Answer
from homeostat.track.predictions import Predictions

if TYPE_CHECKING:
    import pyarrow as pa

PREDICTION = "prediction"


def names_of(signature: Signature) -> list[str]:
    """Return the names of the columns that answers may take."""
    return [PREDICTION, *(f"score_{label}" for label in signature.classes)]


def answer_columns(predictions: Predictions, signature: Signature) -> "dict[str, pa.Array]":
    """Return the columns. The type of `prediction` follows from the signature alone, whatever these rows hold."""
    import pyarrow as pa

    kinds = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}
    found = {type(label) for label in signature.classes} or {float}
    kind = kinds.get(found.pop(), pa.string()) if len(found) == 1 else pa.string()
    labels = predictions.labels.tolist()
    values = [str(label) for label in labels] if kind == pa.string() else labels
    columns = {PREDICTION: pa.array(values, type=kind)}
    if predictions.scores is not None:
        for at, label in enumerate(predictions.classes):
            columns[f"score_{label}"] = pa.array(predictions.scores[:, at], type=pa.float64())
    return columns


def answer_stream(answer: Answer, signature: Signature) -> bytes:
    """Return the answer as an Arrow IPC stream, a row for each row that was asked.

    The schema's metadata say `homeostat.request_id`, `homeostat.model` and `homeostat.version`. To be called in a thread, like `rows_of`.
    """
    import pyarrow as pa

    columns = answer_columns(answer.predictions, signature)
    told = {"request_id": answer.request_id, "model": answer.model, "version": str(answer.version)}
    batch = pa.record_batch(columns, metadata={f"homeostat.{name}": text for name, text in told.items()})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    found: bytes = sink.getvalue().to_pybytes()
    return found
