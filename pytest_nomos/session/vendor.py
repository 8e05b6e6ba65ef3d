"""The vendor of a target in a session: where it is, as the author's samples say, and providers that go there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from nomos_contracts.compute.heartbeats import receipt_of
from nomos_contracts.compute.interface import TaskType
from nomos_contracts.compute.samples import ComputeSamples, Upstream
from nomos_contracts.provider import InterfaceProvider
from nomos_contracts.violation import Blocked
from pytest_nomos.chaos.ending import Stack
from pytest_nomos.chaos.network.proxy import Proxies

if TYPE_CHECKING:
    from pytest_nomos.session.chaos import WorkerChaos


class SampledVendor:
    """The workshop of one check.

    Args:
        upstream: what the author says of the vendor, None for nothing.
        worker: what the experiments of the worker share.
        make: makes a provider of the good configuration with changes; it is let go of after the check.
        record: takes the timeline of each experiment.
    """

    def __init__(
        self,
        upstream: Upstream | None,
        worker: WorkerChaos,
        make: Callable[[Mapping[str, Any]], InterfaceProvider],
        record: Callable[[dict[str, Any]], None],
    ) -> None:
        self._upstream = upstream
        self._worker = worker
        self.make = make
        self.record = record

    @property
    def proxies(self) -> Proxies:
        """The proxies of the worker.

        Raises:
            Blocked: there are none.
        """
        return self._worker.proxies

    @property
    def stack(self) -> Stack:
        """The faults in force in the worker."""
        return self._worker.stack

    @property
    def vendor_address(self) -> str:
        """Where the vendor is: as the sample says, or as the health check tells.

        Raises:
            Blocked: neither does.
        """
        upstream = self._sample()
        if upstream.address:
            return upstream.address
        _, receipt = receipt_of(self.make({}), TaskType.HEALTH_CHECK)
        found = (receipt.result or {}).get(upstream.told)
        if not isinstance(found, str) or not found:
            told = (
                f"the health check tells no {upstream.told!r} ({receipt.status.value} {receipt.reason or ''})".rstrip()
            )
            raise Blocked("sample:upstream", f"samples.upstream gives no address, and {told}")
        return found

    @property
    def vendor_config(self) -> Mapping[str, Any]:
        """Changes of the configuration by which a provider goes to the proxy."""
        return self._sample().config

    def _sample(self) -> Upstream:
        if self._upstream is None:
            raise Blocked("sample:upstream", "nomos.toml gives no sample `upstream`")
        return self._upstream


def upstream_of(samples: object) -> Upstream | None:
    """Return what *samples* say of the vendor."""
    return samples.upstream if isinstance(samples, ComputeSamples) else None
