"""The guide to a compute provider: its blocks are the example, which is short, and kept on both transports."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components import ROOT
from documents import Block, blocks
from nomos_contracts.compute.interface import BootstrapConfig, ProviderError, ProviderRegistration, SpawnOptions
from nomos_reference.controlplane import ControlPlane
from nomos_reference.controlplane.workflows import WorkflowFailure
from unit.reference.made_registrations import registration_of

GUIDE = ROOT / "docs" / "authors" / "compute.md"
EXAMPLE = ROOT / "examples" / "compute-in-python"
BLOCKS = list(blocks(GUIDE))
TARGET = "python:attic:new_attic"
STEPS = ("core methods", "capabilities", "optional methods", "hooks", "error taxonomy", "registration")
BOOTSTRAP = BootstrapConfig("https://agent.example.com", "https://control.example.com", "token")


def code(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()]


def only(kind: str, rest: str) -> list[Block]:
    return [block for block in BLOCKS if (block.kind, block.rest) == (kind, rest)]


def test_its_headings_are_the_six_steps_in_their_order() -> None:
    headings = [line for line in GUIDE.read_text(encoding="utf-8").splitlines() if line.startswith("## Step ")]
    assert headings == [f"## Step {number}: {name}" for number, name in enumerate(STEPS, start=1)]


def test_its_blocks_are_the_example() -> None:
    shown = [line for block in only("part", "attic.py") for line in code(block.text)]
    assert shown == code((EXAMPLE / "attic.py").read_text(encoding="utf-8"))
    (settings,) = only("file", "nomos.toml")
    assert settings.text == (EXAMPLE / "nomos.toml").read_text(encoding="utf-8")


def test_the_example_is_one_module_of_under_150_lines() -> None:
    (module,) = EXAMPLE.glob("**/*.py")
    assert len(module.read_text(encoding="utf-8").splitlines()) < 150


def test_the_example_is_kept_in_tier_additional_on_both_transports(
    component: Callable[[str], str], tmp_path: Path
) -> None:
    component("namespaces")  # else CMP-BOOT-009 is blocked
    for name in ("attic.py", "nomos.toml"):
        (tmp_path / name).write_bytes((EXAMPLE / name).read_bytes())
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "NOMOS_", "COV"))}
    options = ["--nomos-transport=inproc,wire", "--nomos-tier=additional", f"--nomos-report={tmp_path / 'report'}"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", f"--nomos-provider={TARGET}", *options],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    report: dict[str, Any] = json.loads((tmp_path / "report" / "report.json").read_text(encoding="utf-8"))
    assert [target["verdicts"]["standard"]["ruling"] for target in report["targets"]] == ["kept", "kept"], done.stdout
    assert {target["tier"] for target in report["targets"]} == {"additional"}
    assert (done.returncode, report.get("differences", [])) == (0, []), done.stdout


def test_a_strict_type_checker_accepts_the_example(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", "", "--cache-dir", str(tmp_path / "cache")]
    checked = tmp_path / "checked.py"
    provider = "nomos_contracts.compute.interface"
    checked.write_text(
        f"import attic\nfrom {provider} import Provider, ProviderInstance, ProviderSnapshot, LifecycleHooks\n"
        "one: Provider[ProviderInstance, ProviderSnapshot] = attic.Attic(1)\n"
        "hooks: LifecycleHooks = attic.Hooks(attic.Attic(1))\n",
        encoding="utf-8",
    )
    (tmp_path / "attic.py").write_bytes((EXAMPLE / "attic.py").read_bytes())
    done = subprocess.run([*command, str(checked)], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_workflow_that_it_shows_spawns_both_or_none() -> None:
    (block,) = only("workflow", "")
    names: dict[str, Any] = {}
    exec(compile(block.text, block.where, "exec"), names)
    made = registration_of("compute/attic", {"places": 3})
    flows = {"spawn-pair": names["SpawnPair"](made.provider)}

    async def play() -> None:
        plane = ControlPlane("c")
        await plane.register(ProviderRegistration(made.provider, made.hooks, workflows=flows))
        orders = [SpawnOptions("small", "c", number, BOOTSTRAP) for number in range(4)]
        with pytest.raises(ProviderError, match="orders"):
            await plane.run("attic", "spawn-pair", {"orders": orders})
        first = await plane.run("attic", "spawn-pair", {"orders": orders[:2]})
        with pytest.raises(WorkflowFailure, match="no place left"):
            await plane.run("attic", "spawn-pair", {"orders": orders[2:]})
        assert [one.id for one in await made.provider.list()] == first["ids"]

    asyncio.run(play())
