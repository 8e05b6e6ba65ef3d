"""Regenerate the committed protobuf stubs, byte for byte.

Usage: ``python tools/generate_stubs.py [OUTPUT_DIR]`` in an environment that holds
exactly the pinned generator below. Without OUTPUT_DIR the stubs in
``proto/nomos_proto`` are rewritten.

The generator is old on purpose: generated code sets the lowest protobuf runtime that every
provider author must have. 1.73.0 embeds protobuf 6.31.0 and its output loads on
every later runtime up to 7.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

PINNED = {"grpcio-tools": "1.73.0", "mypy-protobuf": "5.1.0"}
ROOT = Path(__file__).resolve().parent.parent
VERSIONS = ("v1", "v2")
# The generator writes imports by proto path; the modules live in nomos_proto, so
# that an author who ships stubs of his own has no clash of module names.
IMPORT = re.compile(r"\bnomos\.provider\.(v\d)\b(?= import)")


def generate(output: Path) -> None:
    """Write the stubs of all protocol versions below *output* (one folder a version).

    Raises:
        SystemExit: the pinned generator is not what is installed, or protoc failed.
    """
    for name, wanted in PINNED.items():
        if (found := version(name)) != wanted:
            raise SystemExit(f"{name} is {found}; the stubs are made with {wanted}")
    import grpc_tools

    include = Path(grpc_tools.__file__).parent / "_proto"
    with tempfile.TemporaryDirectory() as scratch:
        command = [
            sys.executable,
            "-m",
            "grpc_tools.protoc",
            f"-I{ROOT / 'proto'}",
            f"-I{include}",
            f"--python_out={scratch}",
            f"--grpc_python_out={scratch}",
            f"--mypy_out={scratch}",
            *(f"nomos/provider/{v}/provider.proto" for v in VERSIONS),
        ]
        subprocess.run(command, check=True, cwd=ROOT / "proto")
        subprocess.run(
            [
                *command[:5],
                "--include_imports",
                f"--descriptor_set_out={output / 'provider.binpb'}",
                *command[8:],
            ],
            check=True,
            cwd=ROOT / "proto",
        )
        for v in VERSIONS:
            target = output / v
            target.mkdir(parents=True, exist_ok=True)
            for source in sorted(Path(scratch, "nomos", "provider", v).iterdir()):
                text = source.read_text(encoding="utf-8")
                text = IMPORT.sub(r"nomos_proto.\1", text)
                (target / source.name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    generate(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "proto" / "nomos_proto")
