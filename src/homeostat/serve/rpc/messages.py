"""The messages of `inference.GRPCInferenceService`, built here in a pool of their own.

Tritonclient and KServe register the same names in protobuf's default pool, and one process may hold only one of them there: ours stay out of
it, so that a model's code may import either. The numbers are those of the published proto (Open Inference Protocol, version 2).
"""

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from google.protobuf.descriptor_pb2 import DescriptorProto

SERVICE = "inference.GRPCInferenceService"
METHODS = ("ServerLive", "ServerReady", "ModelReady", "ServerMetadata", "ModelMetadata", "ModelInfer")
_PARAMETERS = "{InferParameter"
# name -> field -> (number, type); "*" is repeated, "." a message within this one, "{" a map from strings
_FIELDS: Mapping[str, Mapping[str, tuple[int, str]]] = {
    "ServerLiveRequest": {},
    "ServerLiveResponse": {"live": (1, "bool")},
    "ServerReadyRequest": {},
    "ServerReadyResponse": {"ready": (1, "bool")},
    "ModelReadyRequest": {"name": (1, "string"), "version": (2, "string")},
    "ModelReadyResponse": {"ready": (1, "bool")},
    "ServerMetadataRequest": {},
    "ServerMetadataResponse": {"name": (1, "string"), "version": (2, "string"), "extensions": (3, "*string")},
    "ModelMetadataRequest": {"name": (1, "string"), "version": (2, "string")},
    "ModelMetadataResponse": {
        "name": (1, "string"),
        "versions": (2, "*string"),
        "platform": (3, "string"),
        "inputs": (4, "*.ModelMetadataResponse.TensorMetadata"),
        "outputs": (5, "*.ModelMetadataResponse.TensorMetadata"),
    },
    "ModelMetadataResponse.TensorMetadata": {
        "name": (1, "string"),
        "datatype": (2, "string"),
        "shape": (3, "*int64"),
    },
    "InferParameter": {
        "bool_param": (1, "bool"),
        "int64_param": (2, "int64"),
        "string_param": (3, "string"),
        "double_param": (4, "double"),
        "uint64_param": (5, "uint64"),
    },
    "InferTensorContents": {
        "bool_contents": (1, "*bool"),
        "int_contents": (2, "*int32"),
        "int64_contents": (3, "*int64"),
        "uint_contents": (4, "*uint32"),
        "uint64_contents": (5, "*uint64"),
        "fp32_contents": (6, "*float"),
        "fp64_contents": (7, "*double"),
        "bytes_contents": (8, "*bytes"),
    },
    "ModelInferRequest": {
        "model_name": (1, "string"),
        "model_version": (2, "string"),
        "id": (3, "string"),
        "parameters": (4, _PARAMETERS),
        "inputs": (5, "*.ModelInferRequest.InferInputTensor"),
        "outputs": (6, "*.ModelInferRequest.InferRequestedOutputTensor"),
        "raw_input_contents": (7, "*bytes"),
    },
    "ModelInferRequest.InferInputTensor": {
        "name": (1, "string"),
        "datatype": (2, "string"),
        "shape": (3, "*int64"),
        "parameters": (4, _PARAMETERS),
        "contents": (5, ".InferTensorContents"),
    },
    "ModelInferRequest.InferRequestedOutputTensor": {"name": (1, "string"), "parameters": (2, _PARAMETERS)},
    "ModelInferResponse": {
        "model_name": (1, "string"),
        "model_version": (2, "string"),
        "id": (3, "string"),
        "parameters": (4, _PARAMETERS),
        "outputs": (5, "*.ModelInferResponse.InferOutputTensor"),
        "raw_output_contents": (6, "*bytes"),
    },
    "ModelInferResponse.InferOutputTensor": {
        "name": (1, "string"),
        "datatype": (2, "string"),
        "shape": (3, "*int64"),
        "parameters": (4, _PARAMETERS),
        "contents": (5, ".InferTensorContents"),
    },
}


@cache
def messages() -> Mapping[str, Any]:
    """Return the classes of the messages, by their names within the package `inference`."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(
        name="homeostat/open_inference.proto", package="inference", syntax="proto3"
    )
    made: dict[str, DescriptorProto] = {}
    for name in sorted(_FIELDS, key=lambda each: each.count(".")):
        outer, _, inner = name.rpartition(".")
        made[name] = made[outer].nested_type.add(name=inner) if outer else file.message_type.add(name=inner)
    for name, fields in _FIELDS.items():
        for field, (number, kind) in fields.items():
            _add(made[name], name, field, number, kind)
    is_choice = made["InferParameter"]
    is_choice.oneof_decl.add(name="parameter_choice")
    for each in is_choice.field:
        each.oneof_index = 0
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"inference.{name}")) for name in _FIELDS}


def _add(message: "DescriptorProto", path: str, name: str, number: int, kind: str) -> None:
    from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Field

    if kind.startswith("{"):
        entry = "".join(part.title() for part in name.split("_")) + "Entry"
        held = message.nested_type.add(name=entry)
        held.options.map_entry = True
        _add(held, f"{path}.{entry}", "key", 1, "string")
        _add(held, f"{path}.{entry}", "value", 2, f".{kind[1:]}")
        kind = f"*.{path}.{entry}"
    label = Field.LABEL_REPEATED if kind.startswith("*") else Field.LABEL_OPTIONAL
    kind = kind.removeprefix("*")
    if kind.startswith("."):
        message.field.add(name=name, number=number, label=label, type=Field.TYPE_MESSAGE, type_name=f".inference{kind}")
    else:
        message.field.add(name=name, number=number, label=label, type=getattr(Field, f"TYPE_{kind.upper()}"))
