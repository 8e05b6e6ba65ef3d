"""The Go example: builds, passes its own tests, and is certified; proof that the kit does not test habits of Python."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "provider-in-go"
BINARY = "nomos-provider-jsonfiles"
STUBS = ("provider.pb.go", "provider_grpc.pb.go")


def need(program: str) -> str:
    """Return the path of *program*, which comes with Go; skip without it, or fail where it is required."""
    found = shutil.which(program)
    if found is None:
        reason = "needs go: install it from the distribution (golang), 1.24 or later, or from go.dev/dl"
        if "go" in os.environ.get("NOMOS_REQUIRE", "").split(","):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def run(command: Sequence[str | Path], folder: Path, env: Mapping[str, str] | None = None) -> str:
    """Run *command* in *folder* and return what it printed; fail with it when it did not work."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=env,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout}"
    return done.stdout


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of the example, built, with the named pipe that its README has the reader make."""
    go = need("go")
    folder = tmp_path_factory.mktemp("go") / EXAMPLE.name
    shutil.copytree(
        EXAMPLE, folder, symlinks=True, ignore=shutil.ignore_patterns(BINARY, "nomos-report", "report.json")
    )
    run([go, "build", "-trimpath", "-o", BINARY, "."], folder)
    os.mkfifo(folder / "settings" / "slow" / "report.json")
    yield folder
    shutil.rmtree(folder)


def test_go_vet_finds_nothing(example: Path) -> None:
    run([need("go"), "vet", "./..."], example)


def test_source_is_formatted(example: Path) -> None:
    assert run([need("gofmt"), "-l", "."], example) == ""


def test_its_own_tests_pass(example: Path) -> None:
    run([need("go"), "test", "-count=1", "./..."], example)


def test_stubs_describe_the_published_protocol(example: Path) -> None:
    """The committed stubs hold the descriptor of the .proto as it is now, byte for byte."""
    from google.protobuf import descriptor_pb2

    from nomos_proto.v1 import provider_pb2

    (example / "internal" / "show").mkdir()
    (example / "internal" / "show" / "main.go").write_text(
        'package main\n\nimport (\n\t"os"\n\n\t"google.golang.org/protobuf/proto"\n'
        '\t"google.golang.org/protobuf/reflect/protodesc"\n\n\t"example.com/provider-in-go/internal/providerv1"\n)\n\n'
        "func main() {\n\tdescription, err := proto.Marshal("
        "protodesc.ToFileDescriptorProto(providerv1.File_nomos_provider_v1_provider_proto))\n"
        "\tif err != nil {\n\t\tpanic(err)\n\t}\n\t_, _ = os.Stdout.Write(description)\n}\n"
    )
    done = subprocess.run([need("go"), "run", "./internal/show"], cwd=example, stdout=subprocess.PIPE, check=True)
    shutil.rmtree(example / "internal" / "show")
    assert descriptor_pb2.FileDescriptorProto.FromString(done.stdout) == descriptor_pb2.FileDescriptorProto.FromString(
        provider_pb2.DESCRIPTOR.serialized_pb
    )


def test_is_certified_in_the_highest_tier_and_both_profiles(example: Path) -> None:
    output = run(
        [
            sys.executable,
            "-m",
            "pytest_nomos.cli",
            "certify",
            f"./{BINARY}",
            "--tier",
            "reference",
            "--report",
            example / "nomos-report",
        ],
        example,
    )
    report: dict[str, Any] = json.loads((example / "nomos-report" / "report.json").read_text(encoding="utf-8"))
    (target,) = report["targets"]
    kept = {profile: verdict["kept"] for profile, verdict in target["verdicts"].items()}
    assert report["complete"], output
    assert kept == {"standard": True, "cli": True}, output
    assert (example / "nomos-report" / "attestation.json").is_file(), output
