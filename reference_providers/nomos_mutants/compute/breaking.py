"""Mutants that a slow, mute or absent vendor breaks; they are the original as long as the cloud is in memory."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from nomos_contracts.compute.interface import (
    BootstrapConfig,
    BootstrapScript,
    ProviderError,
    ProviderInstance,
    SpawnOptions,
)
from nomos_mutants.compute.original import Original, mutant
from nomos_reference.compute.cloud import VendorError
from nomos_reference.compute.cloud_remote import RemoteCloud
from nomos_reference.compute.memory import MemoryHooks
from nomos_reference.compute.reconcile import reconcile
from nomos_reference.compute.settings import MemorySettings

Result = TypeVar("Result")


class _Hasty(RemoteCloud):
    """Gives up after a quarter of a second, which is less than the latency alone."""

    def __init__(self, settings: MemorySettings) -> None:
        super().__init__(settings)
        self.patience = 0.25


@mutant("CMP-CHAOS-006", defect="the vendor has a quarter of a second for an answer")
class Hasty(Original):
    """Was tried beside its vendor."""

    remote_type: ClassVar[type[RemoteCloud]] = _Hasty


@mutant("CMP-CHAOS-007", defect="each try of a spawn has an idempotency token of its own")
class NewTokens(Original):
    """Makes the token where the request is made."""

    def token(self, options: SpawnOptions) -> str | None:
        """Make one."""
        return super().token(options) if not self.settings.cloud else uuid.uuid4().hex


@mutant("CMP-CHAOS-008", defect="list is empty while the vendor cannot be reached")
class EmptyInstead(Original):
    """Takes a failure for nothing."""

    def _pairs(self) -> Sequence[tuple[Mapping[str, str], ProviderInstance]]:
        """Show nothing where nobody answers."""
        try:
            return super()._pairs()
        except ProviderError as error:
            if error.code != "NETWORK_ERROR" or not self.settings.cloud:
                raise
            return []


@mutant("CMP-CHAOS-008", "none", defect="get finds nothing while the vendor cannot be reached")
class NoneInstead(Original):
    """Takes a failure for an absence."""

    async def get(self, provider_id: str, region: str | None = None) -> ProviderInstance | None:
        """Find nothing where nobody answers."""
        try:
            return await super().get(provider_id, region)
        except ProviderError as error:
            if error.code != "NETWORK_ERROR" or not self.settings.cloud:
                raise
            return None


class _Unmapped(RemoteCloud):
    """Raises what its client raises."""

    def ask(self, call: str, *arguments: Any) -> Any:
        """Name a failure of the connection by a code that nobody knows."""
        try:
            return super().ask(call, *arguments)
        except VendorError as error:
            raise VendorError("socket" if error.code == "network" else error.code, str(error)) from error


@mutant("CMP-CHAOS-008", "internal", defect="a vendor that cannot be reached is an internal error")
class Unmapped(Original):
    """Has no row for it in its table of errors."""

    remote_type: ClassVar[type[RemoteCloud]] = _Unmapped


class _MissesAll(MemoryHooks):
    """Reconciles with what it could get."""

    async def _reconcile(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """Take a failure for an empty list."""
        try:
            return await super()._reconcile(params)
        except ProviderError as error:
            if error.code != "NETWORK_ERROR" or not self._provider.settings.cloud:
                raise
            return reconcile(params.get("expected", ()), ()).plain


@mutant("CMP-CHAOS-008", "missing", defect="reconciliation misses everything while the vendor cannot be reached")
class MissesAll(Original):
    """Would have its control plane forget all."""

    hooks_type: ClassVar[type[MemoryHooks]] = _MissesAll


class _Discouraged(RemoteCloud):
    """Counts failures."""

    _failures = 0

    def ask(self, call: str, *arguments: Any) -> Any:
        """Ask no more after so many."""
        if self._failures >= 10:
            raise VendorError("network", "the vendor is known to be down")
        try:
            return super().ask(call, *arguments)
        except VendorError as error:
            self._failures += error.code == "network"
            raise


@mutant("CMP-CHAOS-009", defect="after ten failures the vendor is never asked again")
class Discouraged(Original):
    """Has a circuit breaker that opens, and does not close."""

    remote_type: ClassVar[type[RemoteCloud]] = _Discouraged


class _AlwaysWell(MemoryHooks):
    """Looks at its own settings."""

    async def _health(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """Ask nobody elsewhere."""
        return {"healthy": True} if self._provider.settings.cloud else await super()._health(params)


@mutant("CMP-CHAOS-010", defect="the health check does not ask the vendor")
class AlwaysWell(Original):
    """Is well as long as it runs."""

    hooks_type: ClassVar[type[MemoryHooks]] = _AlwaysWell


class _NeverAgain(MemoryHooks):
    """Remembers that it was ill."""

    _ill = False

    async def _health(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """Fail for good after a failure."""
        if self._ill:
            raise ProviderError("the vendor does not answer", "NETWORK_ERROR", provider="memory")
        try:
            return await super()._health(params)
        except ProviderError as error:
            self._ill = error.code == "NETWORK_ERROR" and bool(self._provider.settings.cloud)
            raise


@mutant("CMP-CHAOS-010", "again", defect="a health check that failed once fails ever after")
class NeverAgain(Original):
    """Waits for somebody who declares it well."""

    hooks_type: ClassVar[type[MemoryHooks]] = _NeverAgain


class _Waiting(RemoteCloud):
    """Waits for an answer."""

    def __init__(self, settings: MemorySettings) -> None:
        super().__init__(settings)
        self.patience = 60.0


@mutant("CMP-CHAOS-011", defect="requests to the vendor have no time limit that anybody lives to see")
class Waiting(Original):
    """Trusts the vendor to answer."""

    remote_type: ClassVar[type[RemoteCloud]] = _Waiting


class _Final(RemoteCloud):
    """Takes a time limit for the end."""

    def ask(self, call: str, *arguments: Any) -> Any:
        """Name it by a code that is not tried again."""
        try:
            return super().ask(call, *arguments)
        except VendorError as error:
            raise VendorError("internal" if error.code == "timeout" else error.code, str(error)) from error


@mutant("CMP-CHAOS-011", "final", defect="a vendor that does not answer in time is an error that is not to be retried")
class Final(Original):
    """Has time limits, and no word for them."""

    remote_type: ClassVar[type[RemoteCloud]] = _Final


class _Long(RemoteCloud):
    """Waits for a while."""

    def __init__(self, settings: MemorySettings) -> None:
        super().__init__(settings)
        self.patience = 15.0


@mutant(
    "CMP-CHAOS-012",
    defect="one lock is held while the vendor is asked, and wanted by everybody",
    also=("CMP-CHAOS-011",),
)
class OneLock(Original):
    """Does one thing at a time."""

    remote_type: ClassVar[type[RemoteCloud]] = _Long

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        super().__init__(config)
        self._one = threading.RLock()

    async def aside(self, work: Callable[[], Result]) -> Result:
        """Do it alone."""

        def alone() -> Result:
            with self._one:
                return work()

        return await super().aside(alone)

    def generate_bootstrap(self, cfg: BootstrapConfig) -> BootstrapScript:
        """Wait for one's turn."""
        with self._one:
            return super().generate_bootstrap(cfg)
