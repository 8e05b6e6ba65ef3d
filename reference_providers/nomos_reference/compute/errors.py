"""The vendor's errors in the words of the taxonomy."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Final

from nomos_contracts.compute.interface import ProviderError
from nomos_reference.compute.cloud import VendorError

CODES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "InsufficientInstanceCapacity": "CAPACITY_ERROR",
        "InstanceLimitExceeded": "QUOTA_EXCEEDED",
        "RequestLimitExceeded": "RATE_LIMIT_ERROR",
        "SpotInstanceTermination": "SPOT_INTERRUPTED",
        "AuthFailure": "AUTH_ERROR",
        "ExpiredToken": "AUTH_ERROR",
        "InvalidParameterValue": "INVALID_SPEC",
        "InvalidInstanceType": "INVALID_SPEC",
        "SpotMaxPriceTooLow": "INVALID_SPEC",
        "InvalidInstanceID.NotFound": "NOT_FOUND",
        "InvalidSubnetID.NotFound": "NOT_FOUND",
        "InvalidVolume.NotFound": "NOT_FOUND",
        "InvalidSnapshot.NotFound": "NOT_FOUND",
        "InvalidSpotInstanceRequestID.NotFound": "NOT_FOUND",
        "InvalidSnapshot.Duplicate": "ALREADY_EXISTS",
        "IdempotentParameterMismatch": "ALREADY_EXISTS",
        "VolumeInUse": "INVALID_STATE",
        "IncorrectState": "INVALID_STATE",
        "maintenance": "INVALID_STATE",
        "RegionDown": "REGION_UNAVAILABLE",
        "network": "NETWORK_ERROR",
        "timeout": "TIMEOUT_ERROR",
        "internal": "PROVIDER_INTERNAL",
    }
)


def from_vendor(error: VendorError, provider: str) -> ProviderError:
    """Return the error of the taxonomy; one that the vendor has added since is internal."""
    code = CODES.get(error.code, "PROVIDER_INTERNAL")
    details = {"vendor_code": error.code}
    return ProviderError(str(error), code, provider=provider, details=details, retry_after=error.retry_after)


@contextmanager
def mapped(provider: str) -> Generator[None]:
    """Turn what the vendor raises within the block into the taxonomy."""
    try:
        yield
    except VendorError as error:
        raise from_vendor(error, provider) from error
