"""Our messages are those of the published proto, as Triton's client ships it."""

from homeostat.serve.rpc.messages import messages


def test_every_field_has_the_number_and_the_type_of_tritons_proto():
    from tritonclient.grpc import service_pb2

    for name, ours in messages().items():
        theirs = service_pb2
        for part in name.split("."):
            theirs = getattr(theirs, part)
        published = theirs.DESCRIPTOR.fields_by_name
        for field in ours.DESCRIPTOR.fields:
            other = published[field.name]
            assert (field.number, field.type, field.is_repeated) == (other.number, other.type, other.is_repeated)
            if field.message_type is not None:
                assert field.message_type.full_name == other.message_type.full_name


def test_the_default_pool_does_not_hold_them():
    ours = messages()["ModelInferRequest"].DESCRIPTOR
    from google.protobuf import descriptor_pool

    assert ours.file.pool is not descriptor_pool.Default()


def test_a_message_is_read_by_tritons_class_and_back():
    from tritonclient.grpc import service_pb2

    ours = messages()["ModelInferRequest"](model_name="m", raw_input_contents=[b"x"])
    ours.inputs.add(name="x", datatype="FP64", shape=[1, -1]).parameters["a"].int64_param = 3
    theirs = service_pb2.ModelInferRequest.FromString(ours.SerializeToString())
    assert theirs.inputs[0].parameters["a"].int64_param == 3
    assert messages()["ModelInferRequest"].FromString(theirs.SerializeToString()) == ours
