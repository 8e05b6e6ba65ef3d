"""The eight errors of a provider registry."""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType
from typing import Any, ClassVar, Final

from nomos_proto.errors import ProviderError, row_of

# The names are those of the written contract, which are the codes too.
# ruff: noqa: N818


class RegistryError(ProviderError):
    """Why a registry could not do what it was asked for.

    Attributes:
        code: the code of the written contract, equal to the name of the class.
        package: name of the package, as it was asked for.
        provider_name: name of the provider, empty where the operation has none.
        reason: what was wrong, without the two names.
        fields: names of the configuration's fields at fault; empty where it was not about one.
    """

    taxonomy: ClassVar[str] = "PROVIDER_INTERNAL"
    """Code of the common taxonomy; category, retryable and the status on the wire follow from it."""

    def __init__(self, package: str, provider_name: str = "", reason: str = "", fields: Iterable[str] = ()) -> None:
        """Say what failed.

        Args:
            package: name of the package.
            provider_name: name of the provider, where there is one.
            reason: what was wrong and what to do; holds no value of a configuration.
            fields: names of the configuration's fields at fault.
        """
        code = type(self).__name__
        row = row_of(self.taxonomy)
        self.package = package
        self.provider_name = provider_name
        self.reason = reason
        self.fields = tuple(fields)
        names = f"package {package!r}" + (f", provider {provider_name!r}" if provider_name else "")
        details: dict[str, Any] = {"package": package, "provider_name": provider_name, "fields": list(self.fields)}
        super().__init__(
            f"{code}: {names}" + (f": {reason}" if reason else ""),
            code,
            row.category,
            row.retryable,
            provider_name,
            details,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.package, self.provider_name, self.reason, self.fields)

    @property
    def status(self) -> str:
        """Name of the gRPC status code."""
        return row_of(self.taxonomy).status

    @property
    def registry_error(self) -> str:
        """The code itself."""
        return self.code


class ErrPackageNotFound(RegistryError):
    """There is no package of that name."""

    taxonomy = "NOT_FOUND"


class ErrProviderExists(RegistryError):
    """The package has a provider of that name already."""

    taxonomy = "ALREADY_EXISTS"


class ErrProviderNotFound(RegistryError):
    """The package has no provider of that name."""

    taxonomy = "NOT_FOUND"


class ErrInvalidFactory(RegistryError):
    """The factory cannot be called with a context and a configuration."""

    taxonomy = "UNSUPPORTED_OPERATION"


class ErrInvalidConfig(RegistryError):
    """The configuration cannot be used; `fields` names what is wrong."""

    taxonomy = "INVALID_SPEC"


class ErrRegistrationFailed(RegistryError):
    """The registration could not be made; nothing of it is left."""

    taxonomy = "INVALID_STATE"


class ErrProviderCreationFailed(RegistryError):
    """The factory made no provider; its exception is the cause."""

    taxonomy = "PROVIDER_INTERNAL"


class ErrRegistryAccessFailed(RegistryError):
    """What the registry keeps could not be read or changed; the failure of the store is the cause."""

    taxonomy = "NETWORK_ERROR"


ERRORS: Final = MappingProxyType(
    {
        kind.__name__: kind
        for kind in (
            ErrPackageNotFound,
            ErrProviderExists,
            ErrProviderNotFound,
            ErrInvalidFactory,
            ErrInvalidConfig,
            ErrRegistrationFailed,
            ErrProviderCreationFailed,
            ErrRegistryAccessFailed,
        )
    }
)
"""The eight errors by code."""
