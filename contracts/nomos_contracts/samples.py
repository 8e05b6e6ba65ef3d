"""Samples: what only the author of a provider can know, by interface."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module

from pydantic import BaseModel

from nomos_proto.kinds import is_map


def samples_of(interface: str) -> type[BaseModel]:
    """Return the model of the samples of *interface*: ``ConfigSamples`` in ``nomos_contracts.config.samples``."""
    found: type[BaseModel] = getattr(
        import_module(f"nomos_contracts.{interface}.samples"), f"{interface.capitalize()}Samples"
    )
    return found


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

    @property
    def plain(self) -> bool:
        """Whether it is a key of the ``[samples]`` table, and no table of its own."""
        return self.lines.startswith("[samples]\n")


def sample_kinds(interface: str) -> Iterator[SampleKind]:
    """Yield the kinds of samples of *interface*."""
    for name, info in samples_of(interface).model_fields.items():
        extra = info.json_schema_extra
        facts: Mapping[str, object] = extra if is_map(extra) else {}
        yield SampleKind(name, info.description or "", str(facts["lines"]), bool(facts["declinable"]))
