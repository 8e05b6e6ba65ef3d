"""A control plane for compute providers: small, in this process, real."""

from __future__ import annotations

from nomos_reference.controlplane.plane import ControlPlane, RegistrationError
from nomos_reference.controlplane.scenario import Scenario, ScenarioReport

__all__ = ["ControlPlane", "RegistrationError", "Scenario", "ScenarioReport"]
