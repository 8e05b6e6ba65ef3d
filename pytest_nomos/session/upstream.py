"""Experiments with an upstream: processes of a target that reach it through a proxy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nomos_contracts.fault import Fault
from nomos_contracts.provider import RunningProvider, Start
from pytest_nomos.chaos.experiment import Laboratory
from pytest_nomos.chaos.network.proxy import Proxies
from pytest_nomos.chaos.upstream import UpstreamSide

if TYPE_CHECKING:
    from pytest_nomos.session.pool import TargetRun


class UpstreamLaboratory:
    """A laboratory whose processes are told of the proxy in the place of their upstream.

    Args:
        inner: the laboratory of the target.
        run: the target.
        side: where faults strike.
    """

    def __init__(self, inner: Laboratory, run: TargetRun, side: UpstreamSide) -> None:
        self._inner = inner
        self._run = run
        self._side = side

    @property
    def proxies(self) -> Proxies:
        """The proxies of the worker."""
        return self._inner.proxies

    def start(self, ready_for: Fault | None = None, *, anew: bool = False) -> Start:  # noqa: ARG002 # it always is
        """Start a process of the target."""
        return self._run.start(ready_for=ready_for, config=self._side.config(self._run.good_config()))

    def caller(self, address: str) -> RunningProvider:
        """Return a caller of what answers at *address*."""
        return self._inner.caller(address)

    def release(self, provider: RunningProvider) -> None:
        """Let go of a process or a caller."""
        self._inner.release(provider)
