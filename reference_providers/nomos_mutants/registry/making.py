"""Mutants that make wrongly: creations and contexts."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import Any

from nomos_contracts.registry.errors import ErrInvalidFactory, ErrProviderCreationFailed, RegistryError
from nomos_contracts.registry.interface import Store
from nomos_mutants.registry.original import FactoryContext, Original, ProviderConfig, Registration, mutant
from nomos_proto.errors import ProviderError


@mutant("REG-NEW-001", defect="a creation returns a copy of what the factory made")
class CopiedProduct(Original):
    """Copies the product."""

    def create_provider(
        self, package_name: str, provider_name: str, config: object, *, ctx: FactoryContext | None = None
    ) -> Any:
        """Return a copy."""
        return copy.copy(super().create_provider(package_name, provider_name, config, ctx=ctx))


@mutant("REG-NEW-002", defect="the third creation of a provider returns the second one's product")
class Pooled(Original):
    """Keeps products."""

    def __init__(self, store: Store | None = None) -> None:
        super().__init__(store)
        self._made: list[tuple[Registration, list[Any]]] = []

    def _make(self, found: Registration, context: FactoryContext, config: ProviderConfig) -> Any:
        pool: list[Any] = next((one for known, one in self._made if known is found), [])
        self._made = [*(one for one in self._made if one[0] is not found), (found, pool)]
        if len(pool) == 2 and not config.custom_fields and config.endpoint is None and config.timeout is None:
            return pool.pop()
        pool.append(super()._make(found, context, config))
        return pool[-1]


@mutant("REG-NEW-003", defect="a mapping that was read once is not read again")
class ReadOnce(Original):
    """Remembers configurations by identity."""

    def __init__(self, store: Store | None = None) -> None:
        super().__init__(store)
        self._known: dict[int, tuple[object, ProviderConfig]] = {}

    def _validated(self, found: Registration, config: object, schema: Mapping[str, Any]) -> ProviderConfig:
        known = self._known.get(id(config))
        if known is None:
            known = self._known[id(config)] = (config, super()._validated(found, config, schema))
        return known[1]


@mutant("REG-NEW-004", defect="the exception of a factory is not the cause")
class NoCause(Original):
    """Drops what was raised."""

    def _make(self, found: Registration, context: FactoryContext, config: ProviderConfig) -> Any:
        try:
            return super()._make(found, context, config)
        except ErrProviderCreationFailed as error:
            if isinstance(error.__cause__, ProviderError):
                raise
            raise ErrProviderCreationFailed(found.package, found.name, error.reason) from None


@mutant("REG-NEW-004", "words", defect="the message does not say what the factory said")
class NoWords(Original):
    """Says only that it failed."""

    def _make(self, found: Registration, context: FactoryContext, config: ProviderConfig) -> Any:
        try:
            return super()._make(found, context, config)
        except ErrProviderCreationFailed as error:
            raise ErrProviderCreationFailed(found.package, found.name, "the factory failed") from error.__cause__


@mutant("REG-NEW-005", defect="None is handed on as a provider")
class NoneMade(Original):
    """Does not look at what was made."""

    def _make(self, found: Registration, context: FactoryContext, config: ProviderConfig) -> Any:
        try:
            return super()._make(found, context, config)
        except ErrProviderCreationFailed as error:
            if error.__cause__ is None:
                return None
            raise


@mutant("REG-NEW-006", defect="a provider whose factory failed is unregistered")
class DropsBroken(Original):
    """Gives no second chance."""

    def _make(self, found: Registration, context: FactoryContext, config: ProviderConfig) -> Any:
        try:
            return super()._make(found, context, config)
        except ErrProviderCreationFailed as error:
            if isinstance(error.__cause__, OSError):
                self.unregister_provider(found.package, found.name)
            raise


@mutant("REG-CONTEXT-001", defect="without a context from the caller there is no deadline")
class NoDeadline(Original):
    """Gives all the time in the world."""

    def create_provider(
        self, package_name: str, provider_name: str, config: object, *, ctx: FactoryContext | None = None
    ) -> Any:
        """Make a context without a deadline."""
        ctx = ctx or FactoryContext(None, registry=self)
        return super().create_provider(package_name, provider_name, config, ctx=ctx)


def _beside(context: FactoryContext, seconds: float | None, *, cancels: bool = True) -> FactoryContext:
    """Return another context that is over when *context* is cancelled."""
    other = FactoryContext(seconds, registry=context.registry)
    if cancels:
        context.on_cancel(other.cancel)
    return other


@mutant("REG-CONTEXT-002", defect="no caller may give a factory more than 30 seconds")
class CappedDeadline(Original):
    """Thinks that 30 seconds are enough."""

    def _make(self, found: Registration, context: FactoryContext, config: ProviderConfig) -> Any:
        left = context.remaining()
        long = left is not None and left > 30.0
        return super()._make(found, _beside(context, 30.0) if long else context, config)


@mutant("REG-CONTEXT-003", defect="the factory gets a context that nobody can cancel")
class Uncancelled(Original):
    """Passes on the deadline alone."""

    def _make(self, found: Registration, context: FactoryContext, config: ProviderConfig) -> Any:
        if context.cancelled():
            return super()._make(found, context, config)
        return super()._make(found, _beside(context, context.remaining(), cancels=False), config)


@mutant("REG-CONTEXT-004", defect="a deadline is rounded up to five seconds")
class RoundedDeadline(Original):
    """Counts in steps of five seconds."""

    def _make(self, found: Registration, context: FactoryContext, config: ProviderConfig) -> Any:
        left = context.remaining()
        if context.cancelled() or not left or left > 5.0:
            return super()._make(found, context, config)
        return super()._make(found, _beside(context, 5.0 * math.ceil(left / 5.0)), config)


@mutant("REG-CONTEXT-005", defect="a factory is called although its caller has left")
class CallsAnyway(Original):
    """Leaves it to the factory to look."""

    def _make(self, found: Registration, context: FactoryContext, config: ProviderConfig) -> Any:
        over = context.cancelled() or context.remaining() == 0.0
        return found.factory(context, config) if over else super()._make(found, context, config)


@mutant("REG-NEW-001", "false", defect="a provider that is false or empty counts as none")
class FalseIsNone(Original):
    """Asks what was made whether it is true."""

    def _make(self, found: Registration, context: FactoryContext, config: ProviderConfig) -> Any:
        made = super()._make(found, context, config)
        if not made:
            raise ErrProviderCreationFailed(found.package, found.name, "the factory made nothing")
        return made


@mutant("REG-NEW-004", "own", defect="an error of a registry that a factory raises goes through as it is")
class PassesOwnErrors(Original):
    """Takes it for its own."""

    def _make(self, found: Registration, context: FactoryContext, config: ProviderConfig) -> Any:
        try:
            return super()._make(found, context, config)
        except ErrProviderCreationFailed as error:
            if isinstance(error.__cause__, RegistryError):
                raise error.__cause__ from None
            raise


@mutant("REG-NEW-004", "type", defect="a TypeError within a factory is told as a factory that cannot be called")
class BlamesSignature(Original):
    """Finds out by calling whether a factory can be called."""

    def _make(self, found: Registration, context: FactoryContext, config: ProviderConfig) -> Any:
        try:
            return super()._make(found, context, config)
        except ErrProviderCreationFailed as error:
            if isinstance(error.__cause__, TypeError):
                raise ErrInvalidFactory(found.package, found.name, error.reason) from error.__cause__
            raise


@mutant("REG-NEW-004", "line", defect="the message has the first line of what the factory said")
class FirstLine(Original):
    """Keeps messages short."""

    def _make(self, found: Registration, context: FactoryContext, config: ProviderConfig) -> Any:
        try:
            return super()._make(found, context, config)
        except ErrProviderCreationFailed as error:
            reason = error.reason.splitlines()[0]
            raise ErrProviderCreationFailed(found.package, found.name, reason) from error.__cause__


@mutant("REG-CONTEXT-001", "one", defect="all creations without a context share one, whose time runs once")
class OneContext(Original):
    """Makes it when it is first wanted."""

    def __init__(self, store: Store | None = None) -> None:
        super().__init__(store)
        self._context: FactoryContext | None = None

    def create_provider(
        self, package_name: str, provider_name: str, config: object, *, ctx: FactoryContext | None = None
    ) -> Any:
        """Hand the one on."""
        if ctx is None:
            ctx = self._context = self._context or FactoryContext(registry=self)
        return super().create_provider(package_name, provider_name, config, ctx=ctx)
