"""One target outside a pytest run, for the commands that talk to a provider."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from nomos_contracts.clause import Profile
from pytest_nomos.session.pool import Pool, TargetRun
from pytest_nomos.settings import Settings, find_settings, load_settings
from pytest_nomos.targets.plan import TargetError, plan_targets
from pytest_nomos.targets.surroundings import Surroundings
from pytest_nomos.targets.ways import Transport


def settings_for(file: Path | None, folder: Path) -> Settings:
    """Return the settings of *file*, or the nearest ones from *folder* upwards.

    Raises:
        SettingsError: they cannot be used.
    """
    return load_settings(file if file is not None else find_settings(folder))


@contextmanager
def open_target(
    spec: str,
    settings: Settings,
    folder: Path,
    profile: Profile | None = None,
    transports: Sequence[Transport] = (),
) -> Generator[TargetRun]:
    """Lend the run of one target; everything that it started is stopped afterwards.

    Args:
        spec: the target.
        settings: the settings file that holds for it.
        folder: folder at which relative paths of the command line start.
        profile: the profile in which it is spoken to; None for the one that it claims.
        transports: how to reach it; empty for the way that it is reached by itself.

    Raises:
        TargetError: *spec* is no target, or several.
        SettingsError: its settings cannot be used.
    """
    with Surroundings() as surroundings:
        plans = plan_targets((spec,), settings, folder, surroundings, transports=transports)
        if len(plans) != 1:
            raise TargetError(f"{spec}: name one target")
        plan = plans[0]
        pool = Pool({plan.name: plan}, {plan.name: profile or plan.profile or Profile.STANDARD})
        try:
            yield pool.run(plan.name)
        finally:
            pool.close()
