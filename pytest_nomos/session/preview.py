"""The first look at a target, once and in the controller: does it start, and what does it say of itself?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nomos_contracts.clause import Profile
from nomos_contracts.process.interface import START_CLAUSES
from nomos_contracts.violation import Blocked
from nomos_proto.kinds import is_map
from pytest_nomos.session.pool import TargetRun


@dataclass(frozen=True)
class Preview:
    """The first look at a target; plain types, so that it travels to workers.

    Attributes:
        profile: the profile that the settings claim, else the one that fits the announced form.
        form: the announced form (``PORT``, ``PROVIDER_PORT``, ``UNIX``), empty where nothing was announced.
        info: what Info answered, empty where it did not.
        describe: what v2 Describe answered, empty where the provider speaks v1 only.
        failure: why it did not start, empty where it did.
        broke: id of the clause that the failed start broke, empty where it started.
        capabilities: what a provider of a function interface declares once it is made, sorted; None where nobody asked
            it, for other interfaces.
    """

    profile: str
    form: str = ""
    info: Mapping[str, Any] = field(default_factory=dict[str, Any])
    describe: Mapping[str, Any] = field(default_factory=dict[str, Any])
    failure: str = ""
    broke: str = ""
    capabilities: tuple[str, ...] | None = None


def look(run: TargetRun) -> Preview:
    """Look at the target of *run* by its first start; never raises for what the provider does."""
    if run.plan.make is not None:
        return _look_in_process(run)
    start = run.first_start()
    claimed = run.plan.profile
    if start.provider is None:
        error = start.error
        return Preview(
            profile=(claimed or Profile.STANDARD).value,
            failure=error.message if error else "",
            broke=START_CLAUSES.get(error.failure, "") if error else "",
        )
    provider = start.provider
    form = provider.announcement.form if run.plan.command else ""
    profile = claimed or (Profile.CLI if form == "PROVIDER_PORT" else Profile.STANDARD)
    info = provider.info()
    capabilities, failure = _made(run) if run.plan.is_function_interface else (None, "")
    describe = provider.describe()
    return Preview(
        profile=profile.value,
        form=form,
        info=dict(info.value) if info.ok and is_map(info.value) else {},
        describe=dict(describe.value) if describe.ok and is_map(describe.value) else {},
        capabilities=capabilities,
        failure=failure,
    )


def _look_in_process(run: TargetRun) -> Preview:
    capabilities, failure = _made(run)
    profile = run.plan.profile or Profile.STANDARD
    return Preview(profile=profile.value, capabilities=capabilities, failure=failure)


def _made(run: TargetRun) -> tuple[tuple[str, ...] | None, str]:
    """Return what the provider declares once it is made from the good configuration, or why it cannot be made."""
    try:
        return tuple(sorted(run.faces.shared().capabilities)), ""
    except Blocked as blocked:
        return None, blocked.reason
