"""The first look at a target, once and in the controller: does it start, and what does it say of itself?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nomos_contracts.clause import Profile
from nomos_contracts.process.interface import START_CLAUSES
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
    """

    profile: str
    form: str = ""
    info: Mapping[str, Any] = field(default_factory=dict[str, Any])
    describe: Mapping[str, Any] = field(default_factory=dict[str, Any])
    failure: str = ""
    broke: str = ""


def look(run: TargetRun) -> Preview:
    """Look at the target of *run* by its first start; never raises for what the provider does."""
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
    describe = provider.describe()
    return Preview(
        profile=profile.value,
        form=form,
        info=dict(info.value) if info.ok and is_map(info.value) else {},
        describe=dict(describe.value) if describe.ok and is_map(describe.value) else {},
    )
