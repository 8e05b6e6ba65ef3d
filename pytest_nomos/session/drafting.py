"""A first settings file for a provider of a function interface: what it declares, and what only its author knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nomos_contracts.clause import CONTRACTS_OF
from nomos_contracts.faces import interface_in
from nomos_contracts.samples import sample_kinds
from pytest_nomos.session.discovery import to_toml, toml_key
from pytest_nomos.session.preview import look
from pytest_nomos.session.single import open_target
from pytest_nomos.settings import Settings


@dataclass(frozen=True)
class Draft:
    """A settings file to be.

    Attributes:
        text: what stands in it, empty where the provider cannot be made.
        story: one line for each thing that was tried.
        failure: why the provider cannot be made, empty where it can.
    """

    text: str
    story: tuple[str, ...]
    failure: str = ""


def implemented(target: str, described: Mapping[str, Any] | None = None) -> str:
    """Return the function interface that *target* is known to implement, by its name or by Describe; else empty."""
    kind, _, rest = target.partition(":")
    named = rest.partition("/")[0] if kind == "registered" else ""
    known = [name for name in CONTRACTS_OF if name != "config"]
    return next((name for name in known if name == named or interface_in(described or {}, name)), "")


def draft_interface(target: str, interface: str, config: dict[str, Any], folder: Path, file: Path) -> Draft:
    """Make the provider *target* of *interface* once and write down what it declares.

    Args:
        target: the target string.
        interface: the function interface that it implements.
        config: its configuration; empty if none is known.
        folder: folder at which relative paths of the command line start.
        file: the settings file that will be written.

    Raises:
        TargetError: *target* cannot be used.
    """
    settings = Settings.model_validate({"interface": interface, "config": config, "path": file})
    with open_target(target, settings, folder) as run:
        seen = look(run)
        transport = run.plan.transport
    if seen.failure:
        return Draft("", (), f"{target}: {seen.failure}")
    declared = list(seen.capabilities or ())
    story = (
        f"it implements {interface}, reached {'in process' if transport == 'inproc' else 'over the wire'}",
        f"it declares {', '.join(declared) or 'no capability'}",
    )
    return Draft("\n".join(_lines(target, interface, declared, config)) + "\n", story)


def _lines(target: str, interface: str, declared: list[str], config: dict[str, Any]) -> list[str]:
    kinds = list(sample_kinds(interface))
    lines = [
        f"# Settings of {target} for pytest-nomos, written by `pytest-nomos init`.",
        f"interface = {to_toml(interface)}",
        'tier = "testing"    # then "additional", "reference"',
        f"# It declares: {', '.join(declared) or 'no capability'}. What it does not declare is not asked of it.",
        "",
        "# What it is made of. {here} in a string is the folder of this file.",
        "[config]",
        *(f"{toml_key(key)} = {to_toml(value)}" for key, value in config.items()),
        "",
        "# What only you know. Fill in what your provider has.",
        "[samples]",
    ]
    for kind in kinds:
        lines += ["", f"# {kind.meaning}", *(f"# {line}" for line in kind.lines.splitlines() if line != "[samples]")]
    lines += ["", "# What it has nothing of, each with your reason.", "[declined]"]
    lines += [f'# {kind.name} = "why the provider has nothing of the kind"' for kind in kinds if kind.declinable]
    return lines
