"""Filters: which instances a list shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from nomos_contracts.compute.interface import InstanceStatus, ListFilter, ProviderError, ProviderInstance

Tagged = tuple[Mapping[str, str], ProviderInstance]
"""An instance and its tags."""


def matches(tags: Mapping[str, str], instance: ProviderInstance, wanted: ListFilter) -> bool:
    """Whether an instance matches everything but the limit."""
    if instance.status is InstanceStatus.TERMINATED and not wanted.include_terminated:
        return False
    return (
        (not wanted.status or instance.status in wanted.status)
        and (wanted.spec is None or instance.spec == wanted.spec)
        and (wanted.region is None or instance.region == wanted.region)
        and all(tags.get(key) == value for key, value in (wanted.tags or {}).items())
    )


def matching(pairs: Iterable[Tagged], wanted: ListFilter, *, provider: str) -> list[ProviderInstance]:
    """Return the instances that match, as many as the limit allows.

    Raises:
        ProviderError: INVALID_SPEC; the limit is negative.
    """
    if wanted.limit is not None and wanted.limit < 0:
        raise ProviderError("limit: must not be negative", "INVALID_SPEC", provider=provider)
    found = [instance for tags, instance in pairs if matches(tags, instance, wanted)]
    return found if wanted.limit is None else found[: wanted.limit]
