"""One target outside a pytest run, for the commands that talk to a provider."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from nomos_contracts.clause import Profile
from pytest_nomos.session.pool import Pool, TargetRun
from pytest_nomos.settings import Settings, find_settings, load_settings
from pytest_nomos.targets.plan import TargetError, plan_targets


def settings_for(file: Path | None, folder: Path) -> Settings:
    """Return the settings of *file*, or the nearest ones from *folder* upwards.

    Raises:
        SettingsError: they cannot be used.
    """
    return load_settings(file if file is not None else find_settings(folder))


@contextmanager
def open_target(spec: str, settings: Settings, folder: Path, profile: Profile | None = None) -> Generator[TargetRun]:
    """Lend the run of one target; everything that it started is stopped afterwards.

    Raises:
        TargetError: *spec* is no target, or several.
        SettingsError: its settings cannot be used.
    """
    plans = plan_targets((spec,), settings, folder)
    if len(plans) != 1:
        raise TargetError(f"{spec}: name one target")
    plan = plans[0]
    scratch = Path(tempfile.mkdtemp(prefix="nomos-"))
    try:
        pool = Pool({plan.name: plan}, {plan.name: profile or plan.profile or Profile.STANDARD}, scratch)
        try:
            yield pool.run(plan.name)
        finally:
            pool.close()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
