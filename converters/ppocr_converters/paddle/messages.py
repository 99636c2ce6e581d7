"""Protobuf messages by a schema of a few lines: what Paddle wrote, read without Paddle."""

from __future__ import annotations

import re
from typing import Any

FIELD = re.compile(r"(\w+) (\d+) (\w+)(\*?)")


def message_classes(package: str, schema: str) -> dict[str, Any]:
    """The class of each message, with the fields that are named; others are kept as they came.

    Args:
        package: a name of its own for these messages.
        schema: a line for each message, `Name: field number type, ...`; types are those of
            protobuf or messages of the schema, and a star makes a field repeated.
    """
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", package=package)
    for line in schema.strip().splitlines():
        message, _, fields = line.partition(":")
        added = file.message_type.add(name=message)
        for name, number, kind, star in FIELD.findall(fields):
            label = field.LABEL_REPEATED if star else field.LABEL_OPTIONAL
            one = added.field.add(name=name, number=int(number), label=label)
            if kind[0].isupper():
                one.type_name = f".{package}.{kind}"
            else:
                one.type = field.Type.Value(f"TYPE_{kind.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        message.name: message_factory.GetMessageClass(
            pool.FindMessageTypeByName(f"{package}.{message.name}")
        )
        for message in file.message_type
    }
