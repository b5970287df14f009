"""ONNX files that clients logged, answered by onnxruntime as they are."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from homeostat.core.errors import MissingExtra

if TYPE_CHECKING:
    import pandas as pd

_DTYPES = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(bool)": "bool",
}


class OnnxModel:
    """The first output is the answer. One input takes all columns as a matrix; of several, each takes the column of its name."""

    def __init__(self, path: Path) -> None:
        try:
            import onnxruntime
        except ModuleNotFoundError as error:
            raise MissingExtra(f"{path} needs onnxruntime, which is not installed", extra="onnx") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._outputs = self._session.get_outputs()

    def predict(self, features: "pd.DataFrame") -> Any:
        return self._run(features, at=0)

    def _run(self, features: "pd.DataFrame", *, at: int) -> Any:
        inputs = self._session.get_inputs()
        if len(inputs) == 1:
            fed = {inputs[0].name: features.to_numpy(dtype=_DTYPES.get(inputs[0].type))}
        else:
            fed = {each.name: self._column(features[each.name], each) for each in inputs}
        return self._session.run([self._outputs[at].name], fed)[0]

    @staticmethod
    def _column(values: Any, each: Any) -> Any:
        column = values.to_numpy(dtype=_DTYPES.get(each.type))
        return column.reshape(-1, 1) if len(each.shape) == 2 else column


class OnnxClassifier(OnnxModel):
    """One whose second output is the probabilities, in the order of the classes."""

    def predict_proba(self, features: "pd.DataFrame") -> Any:
        return self._run(features, at=1)


def read_onnx(path: Path) -> OnnxModel:
    """Return the model: with probabilities where it answers labels first and a matrix of numbers beside them."""
    model = OnnxModel(path)
    outputs = model._outputs  # noqa: SLF001 - of this module
    if len(outputs) == 2 and outputs[0].type in ("tensor(int64)", "tensor(string)"):
        shape = outputs[1].shape
        if outputs[1].type in ("tensor(float)", "tensor(double)") and len(shape) == 2:
            return OnnxClassifier(path)
    return model
