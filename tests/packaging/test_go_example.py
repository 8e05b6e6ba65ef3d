"""The Go examples: each builds, passes its own tests, and is certified; the kit does not test habits of Python."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import descriptor_pb2

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = {"provider-in-go": "nomos-provider-jsonfiles", "compute-in-go": "nomos-provider-toycloud"}
"""Folder of an example to the name of its program."""
OLDEST_GO = (1, 24)
"""The first with os.Root; the go line of the example's go.mod."""


def need(program: str) -> str:
    """Return the path of *program*, which comes with Go; skip, or fail where Go is required, if it is not usable."""
    found = shutil.which(program, path=_places())
    if found is None or not _is_new_enough():
        reason = "needs go: install it from the distribution (golang), 1.24 or later, or from go.dev/dl"
        if "go" in os.environ.get("NOMOS_REQUIRE", "").split(","):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def _places() -> str:
    """Return PATH and Go's own folder: some installers put only the command go on PATH."""
    places = os.environ.get("PATH", os.defpath)
    go = shutil.which("go")
    if go is None:
        return places
    root = subprocess.run([go, "env", "GOROOT"], text=True, stdout=subprocess.PIPE, check=True).stdout.strip()
    return os.pathsep.join([places, str(Path(root) / "bin")])


def _is_new_enough() -> bool:
    go = shutil.which("go")
    if go is None:
        return False
    version = subprocess.run([go, "env", "GOVERSION"], text=True, stdout=subprocess.PIPE, check=True).stdout
    numbers = re.match(r"go(\d+)\.(\d+)", version)
    return numbers is None or (int(numbers[1]), int(numbers[2])) >= OLDEST_GO  # None: a development version


def run(command: Sequence[str | Path], folder: Path) -> str:
    """Run *command* in *folder* and return what it printed; fail with it when it did not work."""
    done = subprocess.run(
        command, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600, check=False
    )
    assert done.returncode == 0, f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout}"
    return done.stdout


@pytest.fixture(scope="module", params=EXAMPLES)
def example(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of an example, built, with the named pipe that the README of one has the reader make."""
    go = need("go")
    name: str = request.param
    binary = EXAMPLES[name]
    folder = tmp_path_factory.mktemp("go") / name
    shutil.copytree(
        ROOT / "examples" / name,
        folder,
        symlinks=True,
        ignore=shutil.ignore_patterns(binary, "nomos-report", "report.json"),
    )
    run([go, "build", "-trimpath", "-o", binary, "."], folder)
    if name == "provider-in-go":
        os.mkfifo(folder / "settings" / "slow" / "report.json")
    yield folder
    shutil.rmtree(folder)


def test_go_vet_finds_nothing(example: Path) -> None:
    run([need("go"), "vet", "./..."], example)


def test_source_is_formatted(example: Path) -> None:
    assert run([need("gofmt"), "-l", "."], example) == ""


def test_its_own_tests_pass(example: Path) -> None:
    run([need("go"), "test", "-count=1", "./..."], example)


SHOW = """package main

import (
	"os"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"

	stubs "example.com/{folder}/internal/provider{version}"
)

func main() {{
	file := protodesc.ToFileDescriptorProto(stubs.File_nomos_provider_{version}_provider_proto)
	description, err := proto.Marshal(file)
	if err != nil {{
		panic(err)
	}}
	_, _ = os.Stdout.Write(description)
}}
"""


def test_stubs_describe_the_published_protocol(example: Path) -> None:
    published = descriptor_pb2.FileDescriptorSet.FromString(
        (resources.files("nomos_proto") / "provider.binpb").read_bytes()
    )
    versions = [folder.name.removeprefix("provider") for folder in (example / "internal").glob("provider*")]
    assert "v1" in versions
    for version in versions:
        show = example / "internal" / "show"
        show.mkdir()
        (show / "main.go").write_text(SHOW.format(folder=example.name, version=version), encoding="utf-8")
        done = subprocess.run([need("go"), "run", "./internal/show"], cwd=example, stdout=subprocess.PIPE, check=True)
        shutil.rmtree(show)
        stubs = descriptor_pb2.FileDescriptorProto.FromString(done.stdout)
        (expected,) = (file for file in published.file if file.name == stubs.name)
        assert stubs == expected


def test_is_certified_in_the_highest_tier_and_both_profiles(example: Path) -> None:
    output = run(
        [
            sys.executable,
            "-m",
            "pytest_nomos.cli",
            "certify",
            f"./{EXAMPLES[example.name]}",
            "--tier",
            "reference",
            "--report",
            example / "nomos-report",
        ],
        example,
    )
    report: dict[str, Any] = json.loads((example / "nomos-report" / "report.json").read_text(encoding="utf-8"))
    (target,) = report["targets"]
    rulings = {profile: (found["ruling"], found["counts"]["warned"]) for profile, found in target["verdicts"].items()}
    assert report["complete"], output
    assert rulings == {"standard": ("kept", 0), "cli": ("kept", 0)}, output
    assert (example / "nomos-report" / "attestation.json").is_file(), output
