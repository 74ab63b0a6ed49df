"""tf.train.Example without tensorflow: its message, declared anew."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message,
    message_factory,
    text_format,
)

Feature = list[bytes] | np.ndarray  # the ndarray: float32 [N]

# As in tensorflow's example.proto and feature.proto.
_DECLARED = """
name: "pg2_jax/example.proto" syntax: "proto3"
message_type { name: "BytesList"
  field { name: "value" number: 1 label: LABEL_REPEATED type: TYPE_BYTES } }
message_type { name: "FloatList"
  field { name: "value" number: 1 label: LABEL_REPEATED type: TYPE_FLOAT } }
message_type { name: "Int64List"
  field { name: "value" number: 1 label: LABEL_REPEATED type: TYPE_INT64 } }
message_type { name: "Feature" oneof_decl { name: "kind" }
  field { name: "bytes_list" number: 1 type_name: "BytesList" oneof_index: 0 }
  field { name: "float_list" number: 2 type_name: "FloatList" oneof_index: 0 }
  field { name: "int64_list" number: 3 type_name: "Int64List" oneof_index: 0 } }
message_type { name: "Features"
  nested_type { name: "FeatureEntry" options { map_entry: true }
    field { name: "key" number: 1 type: TYPE_STRING }
    field { name: "value" number: 2 type_name: "Feature" } }
  field { name: "feature" number: 1 label: LABEL_REPEATED type_name: "FeatureEntry" } }
message_type { name: "Example"
  field { name: "features" number: 1 type_name: "Features" } }
"""


def _example_class() -> Any:
    declared = descriptor_pb2.FileDescriptorProto()
    # A pool of its own: tensorflow's holds tensorflow's messages.
    pool = descriptor_pool.DescriptorPool()
    pool.Add(text_format.Parse(_DECLARED, declared))
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("Example"))


_Example = _example_class()


def encode(features: Mapping[str, bytes | np.ndarray]) -> bytes:
    """The Example of these features, in the order of their names: bytes, and float32
    arrays, of which the shape is not kept."""
    example = _Example()
    for name, value in features.items():
        feature = example.features.feature[name]
        if isinstance(value, bytes):
            feature.bytes_list.value.append(value)
        else:
            feature.float_list.value.extend(value.ravel().tolist())
    return example.SerializeToString(deterministic=True)


def end_of_first_features(example: bytes) -> int:
    """Where the first Features of an Example end; its length if nothing follows."""
    if example[:1] != b"\x0a":
        return len(example)
    length = 0
    # A number, 7 bits a byte from the lowest on.
    for shift, byte in enumerate(example[1:11]):
        length |= (byte & 127) << 7 * shift
        if byte < 128:
            return length + shift + 2
    raise ValueError("a number does not end")


def features(example: bytes) -> dict[str, Feature]:
    """The features of an Example by name, of one name the last, as for tensorflow;
    integers become an empty list. A ValueError says what is malformed."""
    try:
        parsed = _Example.FromString(example)
    except message.DecodeError as error:
        raise ValueError(f"not a tf.train.Example: {error}") from error
    return {name: _values(feature) for name, feature in parsed.features.feature.items()}


def _values(feature: Any) -> Feature:
    if feature.WhichOneof("kind") == "float_list":
        return np.array(feature.float_list.value, np.float32)
    return list(feature.bytes_list.value)
