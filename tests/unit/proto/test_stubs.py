"""The committed stubs are those that the pinned generator writes, and no release is broken."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorSet

ROOT = Path(__file__).resolve().parents[3]
STUBS = ROOT / "proto" / "nomos_proto"
GENERATED = [
    "provider.binpb",
    *(f"{v}/provider_pb2{ending}" for v in ("v1", "v2") for ending in (".py", ".pyi", "_grpc.py")),
]


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


check_wire = load("check_wire")


def test_the_committed_stubs_are_what_the_pinned_generator_writes(
    component: Callable[[str], str], tmp_path: Path
) -> None:
    python = component("generator")
    path = f"{Path(python).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(
        [python, str(ROOT / "tools" / "generate_stubs.py"), str(tmp_path)],
        check=True,
        env={"PATH": path},
        capture_output=True,
        timeout=120,
    )
    for name in GENERATED:
        assert (tmp_path / name).read_bytes() == (STUBS / name).read_bytes(), f"{name} differs: run generate_stubs.py"


def current() -> FileDescriptorSet:
    return FileDescriptorSet.FromString((STUBS / "provider.binpb").read_bytes())


def test_nothing_of_the_last_release_is_broken() -> None:
    released = check_wire.newest(ROOT / "proto" / "released")
    assert check_wire.breaks(FileDescriptorSet.FromString(released.read_bytes()), current()) == []


def message(files: FileDescriptorSet, version: str, name: str) -> Any:
    (file,) = (one for one in files.file if one.package == f"nomos.provider.{version}")
    return next(one for one in file.message_type if one.name == name)


def v1(files: FileDescriptorSet) -> Any:
    return next(one for one in files.file if one.package == "nomos.provider.v1")


def _remove_field(files: FileDescriptorSet) -> None:
    del message(files, "v1", "InitRequest").field[2]


def _renumber_field(files: FileDescriptorSet) -> None:
    message(files, "v1", "InfoResponse").field[1].number = 11


def _retype_field(files: FileDescriptorSet) -> None:
    message(files, "v1", "InfoResponse").field[1].type = FieldDescriptorProto.TYPE_BYTES


def _other_message(files: FileDescriptorSet) -> None:
    message(files, "v1", "InitRequest").field[1].type_name = ".nomos.provider.v2.Value"


def _repeat_field(files: FileDescriptorSet) -> None:
    message(files, "v1", "InfoResponse").field[0].label = FieldDescriptorProto.LABEL_REPEATED


def _rename_field(files: FileDescriptorSet) -> None:
    message(files, "v1", "InfoResponse").field[0].name = "nickname"


def _leave_oneof(files: FileDescriptorSet) -> None:
    message(files, "v2", "Value").field[1].ClearField("oneof_index")


def _remove_message(files: FileDescriptorSet) -> None:
    file = v1(files)
    del file.message_type[0]


def _remove_method(files: FileDescriptorSet) -> None:
    del v1(files).service[0].method[2]


def _stream_method(files: FileDescriptorSet) -> None:
    v1(files).service[0].method[1].server_streaming = True


def _remove_enum_value(files: FileDescriptorSet) -> None:
    del message(files, "v1", "HealthResponse").enum_type[0].value[3]


def _renumber_enum_value(files: FileDescriptorSet) -> None:
    message(files, "v1", "HealthResponse").enum_type[0].value[3].number = 4


def _use_reserved_number(files: FileDescriptorSet) -> None:
    message(files, "v1", "InitRequest").field.add(
        name="new", number=4, type=FieldDescriptorProto.TYPE_STRING, label=FieldDescriptorProto.LABEL_OPTIONAL
    )


def _give_up_reservation(files: FileDescriptorSet) -> None:
    del message(files, "v1", "InitRequest").reserved_range[:]


def _rename_package(files: FileDescriptorSet) -> None:
    v1(files).package = "nomos.provider.v3"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_remove_field, "InitRequest field 3: was `optional string source_file_path`, is gone"),
        (_renumber_field, "InfoResponse field 2: was `optional string version`, is gone"),
        (_retype_field, "InfoResponse field 2: was `optional string version`, is `optional bytes version`"),
        (_other_message, "InitRequest field 2: was `optional message .google.protobuf.Struct config`"),
        (_repeat_field, "InfoResponse field 1: was `optional string alias`, is `repeated string alias`"),
        (_rename_field, "is `optional string nickname`"),
        (_leave_oneof, "Value field 2: was `optional bool bool_value in oneof kind`, is `optional bool bool_value`"),
        (_remove_message, "nomos.provider.v1.InitRequest: was `message`, is gone"),
        (_remove_method, "ProviderService method Info: was"),
        (_stream_method, "is `.nomos.provider.v1.FetchRequest -> stream .nomos.provider.v1.FetchResponse`"),
        (_remove_enum_value, "Status value 3 STATUS_STARTING: was `value`, is gone"),
        (_renumber_enum_value, "Status value 3 STATUS_STARTING: was `value`, is gone"),
        (_use_reserved_number, "InitRequest field 4: was `reserved`, is `optional string new`"),
        (_give_up_reservation, "InitRequest field 10: was `reserved`, is gone"),
        (_rename_package, "nomos/provider/v1/provider.proto package: was `nomos.provider.v1`, is `nomos.provider.v3`"),
    ],
)
def test_a_change_that_breaks_callers_is_refused(change: Callable[[FileDescriptorSet], None], words: str) -> None:
    changed = current()
    change(changed)
    assert words in "\n".join(check_wire.breaks(current(), changed))


def test_what_is_only_added_is_allowed() -> None:
    changed = current()
    message(changed, "v2", "CallRequest").field.add(
        name="new", number=9, type=FieldDescriptorProto.TYPE_STRING, label=FieldDescriptorProto.LABEL_OPTIONAL
    )
    message(changed, "v1", "HealthResponse").enum_type[0].value.add(name="STATUS_NEW", number=4)
    assert check_wire.breaks(current(), changed) == []


def test_the_command_says_what_is_broken_and_exits_with_1(tmp_path: Path) -> None:
    changed = current()
    _retype_field(changed)
    (tmp_path / "changed.binpb").write_bytes(changed.SerializeToString())
    script = str(ROOT / "tools" / "check_wire.py")
    good = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, check=False)
    assert (good.returncode, good.stdout.splitlines()[-1]) == (0, "0 breaks against release 0.1.0")
    bad = subprocess.run(
        [sys.executable, script, str(STUBS / "provider.binpb"), str(tmp_path / "changed.binpb")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert bad.returncode == 1
    assert "InfoResponse field 2" in bad.stdout


def test_releases_are_ordered_by_number_and_not_by_letter(tmp_path: Path) -> None:
    for name in ("0.9.0", "0.10.0", "0.2.1"):
        (tmp_path / f"{name}.binpb").touch()
    assert check_wire.newest(tmp_path).stem == "0.10.0"
