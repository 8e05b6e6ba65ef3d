"""Mutants of errors: wrong codes, wrong flags, raw exceptions, things left behind."""

from __future__ import annotations

import time
from typing import Any, ClassVar

from nomos_contracts.compute.interface import (
    BootstrapConfig,
    BootstrapScript,
    ListFilter,
    ProviderError,
    ProviderInstance,
    SnapshotStatus,
    SpawnOptions,
)
from nomos_mutants.compute.original import Original, mutant
from nomos_reference.compute.cloud import Machine, MemoryCloud, Order, VendorError


def again(error: ProviderError, **changes: Any) -> ProviderError:
    """Return *error* with changes."""
    given = {
        name: getattr(error, name) for name in ("code", "category", "retryable", "provider", "details", "retry_after")
    }
    return ProviderError(changes.pop("message", error.message), **{**given, **changes})


class _Failing(Original):
    """Changes what is raised."""

    def change(self, error: ProviderError) -> Exception:
        """Return what is raised instead."""
        return error

    async def spawn(self, options: SpawnOptions) -> ProviderInstance:
        """Change it."""
        try:
            return await super().spawn(options)
        except ProviderError as error:
            raise self.change(error) from error

    async def list(self, filter: ListFilter | None = None) -> Any:  # noqa: A002 # the interface's
        """Change it."""
        try:
            return await super().list(filter)
        except ProviderError as error:
            raise self.change(error) from error

    async def get(self, provider_id: str, region: str | None = None) -> ProviderInstance | None:
        """Change it."""
        try:
            return await super().get(provider_id, region)
        except ProviderError as error:
            raise self.change(error) from error


class _Recoded(_Failing):
    """Has another code for one of the vendor's."""

    vendor: ClassVar[str] = ""
    code: ClassVar[str] = ""

    def change(self, error: ProviderError) -> Exception:
        """Change the code, and all that follows from it."""
        if error.details.get("vendor_code") != self.vendor:
            return error
        return ProviderError(error.message, self.code, provider=self.name, details=error.details)


def recoded(name: str, vendor: str, code: str) -> type[Original]:
    """Return a provider that has *code* for what the *vendor* says."""
    body = {"vendor": vendor, "code": code, "__module__": __name__, "__doc__": f"Takes {vendor} for {code}."}
    return type(name, (_Recoded,), body)


NoCapacity = mutant("CMP-ERROR-011", defect="no capacity is QUOTA_EXCEEDED, which nobody tries again")(
    recoded("NoCapacity", "InsufficientInstanceCapacity", "QUOTA_EXCEEDED")
)
NoAccess = mutant("CMP-ERROR-012", defect="an expired credential is NETWORK_ERROR, which is tried for ever")(
    recoded("NoAccess", "ExpiredToken", "NETWORK_ERROR")
)
Throttled = mutant("CMP-ERROR-013", defect="throttling is CAPACITY_ERROR")(
    recoded("Throttled", "RequestLimitExceeded", "CAPACITY_ERROR")
)
TakenBack = mutant("CMP-ERROR-014", defect="a spot instance that is taken back is PROVIDER_INTERNAL")(
    recoded("TakenBack", "SpotInstanceTermination", "PROVIDER_INTERNAL")
)
UsedUp = mutant("CMP-ERROR-015", defect="an account's limit is CAPACITY_ERROR, which is tried again for ever")(
    recoded("UsedUp", "InstanceLimitExceeded", "CAPACITY_ERROR")
)
RegionDown = mutant("CMP-ERROR-016", defect="a region that is down is INVALID_SPEC")(
    recoded("RegionDown", "RegionDown", "INVALID_SPEC")
)
NetworkDown = mutant(
    "CMP-ERROR-016", "network", defect="a network failure is PROVIDER_INTERNAL", also=("CMP-CHAOS-008",)
)(recoded("NetworkDown", "network", "PROVIDER_INTERNAL"))


@mutant("CMP-ERROR-001", defect="an unknown spec is NOT_FOUND", also=("CMP-ERROR-016",))
class SpecNotFound(_Recoded):
    """Has one code for all that is not there."""

    vendor = "InvalidInstanceType"
    code = "NOT_FOUND"


@mutant("CMP-ERROR-001", "nearly", defect="a spec that begins like one is taken for it")
class NearlySpec(Original):
    """Completes names."""

    async def spawn(self, options: SpawnOptions) -> ProviderInstance:
        """Complete them."""
        from dataclasses import replace

        known = [one for one in self.settings.specs if options.spec.startswith(one)]
        return await super().spawn(replace(options, spec=known[0]) if known else options)


@mutant("CMP-ERROR-002", defect="an account's limit may be tried again")
class QuotaRetryable(_Failing):
    """Gives every limit one flag."""

    def change(self, error: ProviderError) -> Exception:
        """Change the flag."""
        return again(error, retryable=True) if error.code == "QUOTA_EXCEEDED" else error


@mutant("CMP-ERROR-002", "category", defect="an invalid spec is of category internal")
class SpecInternal(_Failing):
    """Writes categories by hand."""

    def change(self, error: ProviderError) -> Exception:
        """Change the category."""
        return again(error, category="internal") if error.code == "INVALID_SPEC" else error


@mutant("CMP-ERROR-002", "throttling", defect="throttling may not be tried again")
class ThrottlingFinal(_Failing):
    """Writes flags by hand."""

    def change(self, error: ProviderError) -> Exception:
        """Change the flag."""
        return again(error, retryable=False, retry_after=None) if error.code == "RATE_LIMIT_ERROR" else error


class _Snapshots(Original):
    """Changes what the status of a snapshot raises."""

    changes: ClassVar[dict[str, str]] = {}

    async def get_snapshot_status(self, request_id: str) -> SnapshotStatus:
        """Change it."""
        try:
            return await super().get_snapshot_status(request_id)
        except ProviderError as error:
            raise again(error, **self.changes) from error


@mutant("CMP-ERROR-002", "snapshots", defect="an unknown request of a snapshot is of category validation")
class UnknownRequestInvalid(_Snapshots):
    """Writes this category by hand."""

    changes: ClassVar[dict[str, str]] = {"category": "validation"}


@mutant("CMP-ERROR-004", "snapshots", defect="an unknown request of a snapshot does not name the provider")
class NamelessSnapshots(_Snapshots):
    """Was made by two people."""

    changes: ClassVar[dict[str, str]] = {"provider": ""}


class _MislabelledError(ProviderError):
    """An error with another status than that of its code."""

    @property
    def status(self) -> str:
        """Name of the gRPC status code."""
        return "FAILED_PRECONDITION"


@mutant("CMP-ERROR-002", "status", defect="an account's limit has the gRPC status FAILED_PRECONDITION")
class QuotaFailsPrecondition(_Failing):
    """Writes statuses by hand."""

    def change(self, error: ProviderError) -> Exception:
        """Change the status."""
        if error.code != "QUOTA_EXCEEDED":
            return error
        return _MislabelledError(error.message, error.code, provider=error.provider, details=error.details)


@mutant("CMP-ERROR-003", defect="an exception of the language gets out for a negative limit")
class RawOnLimit(Original):
    """Does not look at arguments."""

    async def list(self, filter: ListFilter | None = None) -> Any:  # noqa: A002 # the interface's
        """Raise what comes."""
        if filter is not None and filter.limit is not None and filter.limit < 0:
            raise ValueError("Stop argument for islice() must be None or an integer")
        return await super().list(filter)


@mutant("CMP-ERROR-003", "vendor", defect="an exception of the vendor's library gets out of spawn")
class RawVendor(Original):
    """Wraps most of what is raised."""

    async def spawn(self, options: SpawnOptions) -> ProviderInstance:
        """Raise it as it is."""
        try:
            return await super().spawn(options)
        except ProviderError as error:
            if options.region is not None and error.details.get("vendor_code") == "InvalidParameterValue":
                raise VendorError("InvalidParameterValue", "no such region") from error
            raise


@mutant("CMP-ERROR-003", "code", defect="a failure has a code of the provider's own")
class OwnCode(Original):
    """Has more to say."""

    async def spawn(self, options: SpawnOptions) -> ProviderInstance:
        """Say it."""
        if options.disk_size_gb is not None and options.disk_size_gb <= 0:
            raise ProviderError("disk_size_gb: must be over 0", "DISK_ERROR", provider=self.name)
        return await super().spawn(options)


@mutant("CMP-ERROR-003", "id", defect="an id that is no id brings an exception of the language")
class RawOnId(Original):
    """Parses ids."""

    async def get(self, provider_id: str, region: str | None = None) -> ProviderInstance | None:
        """Parse it."""
        if provider_id and provider_id.isspace():
            raise IndexError("string index out of range")
        return await super().get(provider_id, region)


@mutant("CMP-ERROR-004", defect="an authorisation failure does not name the provider")
class Nameless(_Failing):
    """Makes errors in two places."""

    def change(self, error: ProviderError) -> Exception:
        """Drop the name."""
        return again(error, provider="") if error.code == "AUTH_ERROR" else error


@mutant("CMP-ERROR-004", "class", defect="throttling names the vendor's library in place of the provider")
class NamesLibrary(_Failing):
    """Fills in what raised."""

    def change(self, error: ProviderError) -> Exception:
        """Name something else."""
        return again(error, provider="cloud-sdk") if error.code == "RATE_LIMIT_ERROR" else error


@mutant("CMP-ERROR-005", defect="a failure shows what was asked for, the token too", also=("CMP-ERROR-008",))
class ShowsOptions(Original):
    """Helps with all it has."""

    async def spawn(self, options: SpawnOptions) -> ProviderInstance:
        """Show everything."""
        try:
            return await super().spawn(options)
        except ProviderError as error:
            if error.code != "INVALID_SPEC":
                raise
            raise again(error, message=f"{error.message}: {options}") from error


@mutant("CMP-ERROR-005", "environment", defect="a failure about a variable's name shows its value")
class ShowsVariable(Original):
    """Shows the line that was wrong."""

    def generate_bootstrap(self, cfg: BootstrapConfig) -> BootstrapScript:
        """Show it."""
        for name, value in (cfg.environment or {}).items():
            if not name.isidentifier():
                raise ProviderError(f"environment: {name}={value} is none", "INVALID_SPEC", provider=self.name)
        return super().generate_bootstrap(cfg)


@mutant(
    "CMP-ERROR-005",
    "checksum",
    defect="a failure about the checksum of a script shows all that it is made of",
    also=("CMP-ERROR-008",),
)
class ShowsConfiguration(Original):
    """Shows what the checksum was compared with."""

    def generate_bootstrap(self, cfg: BootstrapConfig) -> BootstrapScript:
        """Show it."""
        try:
            return super().generate_bootstrap(cfg)
        except ProviderError as error:
            raise again(error, message=f"{error.message}: {cfg}" if cfg.init_checksum else error.message) from error


@mutant("CMP-ERROR-005", "silent", defect="an unknown region fails without a word")
class Silent(_Failing):
    """Has nothing to say."""

    def change(self, error: ProviderError) -> Exception:
        """Drop the message."""
        return again(error, message=" ") if error.details.get("vendor_code") == "InvalidParameterValue" else error


class _Leaky(MemoryCloud):
    """Creates before it looks."""

    def create(self, order: Order) -> Machine:
        """Leave a machine where the order is refused for its spec."""
        try:
            return super().create(order)
        except VendorError as error:
            if error.code == "InvalidInstanceType" and order.spec:
                left = Machine(f"i-{self._number()}", "small", order.region, {}, self.now)
                self._machines[left.id] = left
            raise


@mutant("CMP-ERROR-006", defect="a spawn that is refused leaves an instance")
class LeavesInstance(Original):
    """Creates before it looks."""

    cloud_type = _Leaky


class _LeakySpot(MemoryCloud):
    """Keeps what was taken back."""

    def create(self, order: Order) -> Machine:
        """Leave a machine where a spot instance is taken back."""
        try:
            return super().create(order)
        except VendorError as error:
            if error.code == "SpotInstanceTermination":
                left = Machine(f"i-{self._number()}", order.spec, order.region, dict(order.tags), self.now)
                self._machines[left.id] = left
            raise


@mutant("CMP-ERROR-006", "spot", defect="a spawn whose spot instance is taken back leaves a usual one")
class LeavesUsual(Original):
    """Falls back, and forgets it."""

    cloud_type = _LeakySpot


class _Waiting(_Failing):
    """Changes how long to wait."""

    factor: ClassVar[float] = 1.0

    def change(self, error: ProviderError) -> Exception:
        """Change it."""
        return error if error.retry_after is None else again(error, retry_after=self.factor * error.retry_after)


@mutant("CMP-ERROR-017", defect="the time to wait is in nanoseconds")
class WaitsLong(_Waiting):
    """Hands over another unit."""

    factor = 1e9


@mutant("CMP-ERROR-017", "milliseconds", defect="the time to wait is in milliseconds")
class WaitsMilliseconds(_Failing):
    """Subtracts two times of its language's clock."""

    def change(self, error: ProviderError) -> Exception:
        """Count down from a minute."""
        if error.retry_after is None:
            return error
        until: float = self.__dict__.setdefault("_until", time.monotonic() + 60)
        return again(error, retry_after=round(1000 * (until - time.monotonic())))


@mutant("CMP-ERROR-017", "quota", defect="an account's limit says when to try again")
class QuotaWaits(_Failing):
    """Has one way to tell limits."""

    def change(self, error: ProviderError) -> Exception:
        """Add a minute."""
        return again(error, retry_after=60.0) if error.code == "QUOTA_EXCEEDED" else error


@mutant("CMP-ERROR-017", "negative", defect="the time to wait may be negative")
class WaitsBackwards(_Waiting):
    """Subtracts two clocks."""

    factor = -1.0
