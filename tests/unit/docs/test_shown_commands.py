"""Every command that the documents show is run, and prints what they show."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from components import ROOT
from documents import Block, Command, blocks
from nomos_contracts.clause import clauses_of, parse_clauses
from pytest_nomos.settings import load_settings

DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md")),
    *ROOT.glob("docs/*.md"),
    *ROOT.glob("docs/authors/*.md"),
]
ALL = [block for document in sorted(DOCUMENTS) for block in blocks(document)]
RUN = [block for block in ALL if block.kind == "run"]
GO = ROOT / "examples" / "provider-in-go"
Component = Callable[[str], str]


@pytest.fixture(scope="module")
def go_binary(component: Component, tmp_path_factory: pytest.TempPathFactory) -> Path:
    binary = tmp_path_factory.mktemp("built") / "provider"
    done = subprocess.run(
        [component("go"), "build", "-o", str(binary), "."], cwd=GO, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return binary


@pytest.fixture
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Block], Path]:
    """Return a folder as the reader has it at that point of the document."""

    def lay(block: Block) -> Path:
        match block.rest:
            case "checkout":
                return ROOT
            case "provider" | "provider-with-samples":
                binary = request.getfixturevalue("go_binary")
                shutil.copytree(GO / "settings", tmp_path / "settings", symlinks=True, ignore=_unreadable)
                if block.rest == "provider-with-samples":
                    for name in ("other", "empty", "nomos.toml"):
                        copy = shutil.copytree if (GO / name).is_dir() else shutil.copy
                        copy(GO / name, tmp_path / name)
                    os.mkfifo(tmp_path / "settings" / "slow" / "report.json")
                else:
                    for name in ("outside", "broken", "slow"):
                        shutil.rmtree(tmp_path / "settings" / name)
                    if block.options.get("exit") == "10":
                        _initialise(tmp_path, binary)
                shutil.copy(binary, tmp_path / "provider")
            case "mutant" | "files" | "greetings" | "mocks" | "attic" | "attic-fresh":
                pass
            case _:
                raise AssertionError(f"{block.where}: no scene {block.rest}")
        for given in ALL:
            if given.kind == "file" and given.where.partition(":")[0] == block.where.partition(":")[0]:
                (tmp_path / given.rest).write_text(given.text, encoding="utf-8")
        for name, text in assembled(block.where.partition(":")[0]).items():
            (tmp_path / name).write_text(text, encoding="utf-8")
        if block.rest == "attic-fresh":
            (tmp_path / "nomos.toml").unlink()
        return tmp_path

    return lay


def assembled(document: str) -> dict[str, str]:
    """Return the files that a document gives in parts, each part below the one before."""
    found: dict[str, str] = {}
    for given in ALL:
        if given.kind == "part" and given.where.partition(":")[0] == document:
            found[given.rest] = found[given.rest] + "\n\n" + given.text if given.rest in found else given.text
    return found


def _unreadable(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if Path(folder, name).is_fifo()]


def _initialise(folder: Path, binary: Path) -> None:
    """Bring *folder* to where the reader is after `init`."""
    shutil.copy(binary, folder / "provider")
    command = Command("pytest-nomos init ./provider --config directory=./settings", ())
    assert execute(command, folder).returncode == 0


def execute(command: Command, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command as the reader's shell would, with the installed kit first on PATH."""
    words = shlex.split(command.line)
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "NOMOS_", "COV"))}
    env |= {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{env.get('PATH', '')}", "COLUMNS": "120"}
    if folder != ROOT:
        env.pop("PYTHONSAFEPATH", None)  # a reader imports the modules of his folder
    if words[0] == "make":
        # The installed environment stands in for the one that make would build; .ci/run has it built.
        venv = str(Path(sys.prefix))
        stamps = (f"{venv}/.nomos-installed", f"{venv}/.nomos-test-tools", f"{venv}/.nomos-check-tools")
        words += [
            f"VENV={venv}",
            f"REPORT={folder / '.doc-report'}" if folder != ROOT else "",
            *(f"--old-file={s}" for s in stamps),
        ]
    if words[0] == "python":
        words[0] = sys.executable
    return subprocess.run(
        [word for word in words if word],
        cwd=folder,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.fixture(scope="module")
def printed() -> dict[tuple[str, ...], str]:
    """What a command printed in a scene: a command that several documents show is run once."""
    return {}


@pytest.mark.parametrize("block", RUN, ids=[block.where for block in RUN])
def test_commands_of_the_documents_print_what_is_shown(
    block: Block,
    scene: Callable[[Block], Path],
    component: Component,
    printed: dict[tuple[str, ...], str],
) -> None:
    for name in block.options.get("needs", "").split(","):
        if name:
            component(name)
    lines = tuple(command.line for command in block.commands)
    folder: Path | None = None
    for number, command in enumerate(block.commands, start=1):
        key = (block.rest, *sorted(block.options.values()), *lines[:number])
        if key not in printed:
            folder = folder or scene(block)
            done = execute(command, folder)
            wanted = int(block.options.get("exit", 0)) if number == len(lines) else 0
            assert done.returncode == wanted, f"{command.line}\n{done.stdout}"
            printed[key] = done.stdout
        missing = command.missing(printed[key])
        assert missing is None, f"{command.line} did not print {missing!r}:\n{printed[key]}"


def test_every_console_block_is_run_or_says_why_not() -> None:
    silent = [
        b.where for b in ALL if b.language == "console" and not (b.kind == "run" or (b.kind == "shown" and b.rest))
    ]
    assert silent == []
    assert [block.where for block in RUN if not block.commands] == []


def test_every_toml_block_is_accepted_by_what_reads_it(tmp_path: Path) -> None:
    found = 0
    for block in ALL:
        if block.language != "toml":
            continue
        found += 1
        if "[[clause]]" in block.text:
            assert parse_clauses(block.text, block.where)
        else:
            file = tmp_path / "nomos.toml"
            file.write_text(block.text, encoding="utf-8")
            assert load_settings(file).model_fields_set - {"path"}
            assert tomllib.loads(block.text)
    assert found >= 2


def test_every_clause_that_a_document_names_exists() -> None:
    known = clauses_of()
    made_up = {"CFG-FETCH-099"}
    for document in DOCUMENTS:
        named = set(re.findall(r"\b(?:CFG|CMP|PROC|REG)-[A-Z]+-\d{3}\b", document.read_text(encoding="utf-8")))
        assert named - made_up <= known.keys(), document.name


def test_every_link_within_the_documents_leads_somewhere() -> None:
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            if "://" in target:
                continue
            path, _, anchor = target.partition("#")
            file = (document.parent / path).resolve() if path else document
            assert file.exists(), f"{document.name}: {target}"
            if anchor and file.suffix == ".md":
                content = file.read_text(encoding="utf-8")
                headings = re.findall(r"^#+ (.+)$", content, re.MULTILINE)
                slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
                assert anchor in slugs or f'id="{anchor}"' in content, f"{document.name}: {target}"


def test_the_python_of_the_documents_compiles_and_names_what_exists() -> None:
    names = {
        "CONTRIBUTING.md": "from collections.abc import Sequence\n"
        "from typing import Any\n"
        "from nomos_mutants.mutant import mutant\n"
        "from nomos_mutants.original import Original\n"
        "from nomos_proto.provider import CallContext\n"
        "from pytest_nomos.testing import Contract, RunningProvider, clause, expect_code\n"
    }
    for block in ALL:
        if block.language == "python" and block.kind not in {"file", "part"}:  # commands run these
            code = "from __future__ import annotations\n" + names.get(block.where.partition(":")[0], "") + block.text
            exec(compile(code, block.where, "exec"), {"__name__": "document"})
