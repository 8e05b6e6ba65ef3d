"""Samples: what only the author of a provider can know, by interface."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import BaseModel

from nomos_contracts.config.samples import ConfigSamples
from nomos_proto.kinds import is_map

SAMPLES_OF: Mapping[str, type[BaseModel]] = {"config": ConfigSamples}
"""Interface of a target to the model of its samples."""


@dataclass(frozen=True)
class SampleKind:
    """One kind of sample.

    Attributes:
        name: its key in the ``[samples]`` table.
        meaning: one sentence.
        lines: TOML lines to paste, to be filled in by the author.
        declinable: whether an author may say, with a reason, that his provider has nothing of the kind.
    """

    name: str
    meaning: str
    lines: str
    declinable: bool


def sample_kinds(interface: str) -> Iterator[SampleKind]:
    """Yield the kinds of samples of *interface*."""
    for name, info in SAMPLES_OF[interface].model_fields.items():
        extra = info.json_schema_extra
        facts: Mapping[str, object] = extra if is_map(extra) else {}
        yield SampleKind(name, info.description or "", str(facts["lines"]), bool(facts["declinable"]))
