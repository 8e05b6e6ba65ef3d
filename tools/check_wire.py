"""Refuse a change of the protocol that breaks those who speak its last release.

Usage: ``python tools/check_wire.py [RELEASED [CURRENT]]``. Both are descriptor sets; without arguments the newest in
``proto/released`` is compared with ``proto/nomos_proto/provider.binpb``. Exit code 1 and one line for each break.

Allowed: new files, services, methods, messages, fields, enum values. Refused: anything that is removed, renumbered,
retyped, renamed where JSON or generated code would notice, or put into or out of a oneof; a field that is removed even
where its number was reserved, since old callers still send it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    ServiceDescriptorProto,
)

ROOT = Path(__file__).resolve().parent.parent
OWN = "nomos.provider."


def _facts_of_field(message: DescriptorProto, field: FieldDescriptorProto) -> str:
    kind = FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()
    label = FieldDescriptorProto.Label.Name(field.label).removeprefix("LABEL_").lower()
    oneof = f" in oneof {message.oneof_decl[field.oneof_index].name}" if field.HasField("oneof_index") else ""
    return f"{label} {kind}{field.type_name and ' ' + field.type_name} {field.name}{oneof}"


def _messages(prefix: str, messages: list[DescriptorProto]) -> Iterator[tuple[str, str]]:
    for message in messages:
        name = f"{prefix}.{message.name}"
        yield name, "message"
        for field in message.field:
            yield f"{name} field {field.number}", _facts_of_field(message, field)
        yield from _enums(name, list(message.enum_type))
        yield from _messages(name, list(message.nested_type))


def _enums(prefix: str, enums: list[EnumDescriptorProto]) -> Iterator[tuple[str, str]]:
    for enum in enums:
        name = f"{prefix}.{enum.name}"
        yield name, "enum"
        for value in enum.value:
            yield f"{name} value {value.number} {value.name}", "value"


def _services(prefix: str, services: list[ServiceDescriptorProto]) -> Iterator[tuple[str, str]]:
    for service in services:
        name = f"{prefix}.{service.name}"
        yield name, "service"
        for method in service.method:
            asks = ("stream " if method.client_streaming else "") + method.input_type
            gives = ("stream " if method.server_streaming else "") + method.output_type
            yield f"{name} method {method.name}", f"{asks} -> {gives}"


def _reserved(file: FileDescriptorProto) -> Iterator[tuple[str, str]]:
    for message in file.message_type:
        for span in message.reserved_range:
            for number in range(span.start, min(span.end, span.start + 1000)):
                yield f"{file.package}.{message.name} field {number}", "reserved"


def facts(descriptors: FileDescriptorSet) -> dict[str, str]:
    """Return all that callers rely on, by what it is about; only the protocol's own packages count."""
    found: dict[str, str] = {}
    for file in descriptors.file:
        if file.package.startswith(OWN):
            found[f"{file.name} package"] = file.package
            found.update(_messages(file.package, list(file.message_type)))
            found.update(_enums(file.package, list(file.enum_type)))
            found.update(_services(file.package, list(file.service)))
            for where, fact in _reserved(file):
                found.setdefault(where, fact)
    return found


def breaks(released: FileDescriptorSet, current: FileDescriptorSet) -> list[str]:
    """Return one sentence for each thing in *released* that *current* does not keep."""
    now = facts(current)
    return [
        f"{where}: was `{fact}`, is {f'`{now[where]}`' if where in now else 'gone'}"
        for where, fact in facts(released).items()
        if now.get(where) != fact
    ]


def newest(folder: Path) -> Path:
    """Return the descriptor set of the highest release in *folder*.

    Raises:
        SystemExit: there is none.
    """
    found = sorted(folder.glob("*.binpb"), key=lambda path: tuple(int(part) for part in path.stem.split(".")))
    if not found:
        raise SystemExit(f"{folder} holds no released descriptor set")
    return found[-1]


def main(arguments: list[str]) -> int:
    """Print what is broken and return the exit code."""
    released = Path(arguments[0]) if arguments else newest(ROOT / "proto" / "released")
    current = Path(arguments[1]) if len(arguments) > 1 else ROOT / "proto" / "nomos_proto" / "provider.binpb"
    found = breaks(
        FileDescriptorSet.FromString(released.read_bytes()), FileDescriptorSet.FromString(current.read_bytes())
    )
    for sentence in found:
        print(sentence)
    print(f"{len(found)} breaks against release {released.stem}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
