"""Samples of the registry interface: there is nothing that only the author of a registry could tell."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class RegistrySamples(BaseModel):
    """No kind of sample."""

    model_config = ConfigDict(extra="forbid", frozen=True)
