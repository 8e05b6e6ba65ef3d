"""The report of a run: what is told of run and targets at its start and at its end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from nomos_contracts.clause import Profile
from pytest_nomos.host.limits import Limits
from pytest_nomos.report.jsontext import slow_digest
from pytest_nomos.report.kit import run_header
from pytest_nomos.report.model import Isolation, Redacted, Samples, Subject, TargetHeader
from pytest_nomos.report.stream import ReportStream
from pytest_nomos.session.subject import digest
from pytest_nomos.settings import FromEnvironment, Text

if TYPE_CHECKING:
    from pytest_nomos.session.run import Run
    from pytest_nomos.targets.plan import TargetPlan

SHORTEST_SECRET = 4


def open_stream(run: Run, argv: Sequence[str]) -> ReportStream:
    """Begin the report of *run*, on disk where a folder was asked for; until it is finished it says incomplete.

    Raises:
        ReportError: the folder cannot be written to.
    """
    shard = str(run.shard or "")
    header = run_header(argv, started=run.started, shard=shard, known_targets=tuple(run.settings.targets))
    return ReportStream(run.report_dir, header, [target_header(run, plan) for plan in run.plans.values()])


def target_header(run: Run, plan: TargetPlan, *, ended: bool = False) -> TargetHeader:
    """Return what is told of a target.

    Args:
        run: the run.
        plan: the target.
        ended: after the last stop: the subject is hashed again.
    """
    settings = plan.settings
    preview = run.previews.get(plan.name)
    profile = run.profile(plan.name)
    limits = plan.limits.model_dump()
    defaults = Limits().model_dump()
    given = sorted(name for name, value in settings.samples.items() if value)
    return TargetHeader(
        name=plan.name,
        interface=plan.interface,
        subject=_subject(run, plan.subject, ended=ended),
        announcement=_form(preview.form if preview else ""),
        info=dict(preview.info) if preview else {},
        describe=dict(preview.describe) if preview else {},
        profile=profile,
        tier=plan.tier,
        edition=run.settings.edition,
        seed=run.seed,
        transport=plan.transport,
        twin=plan.twin,
        program=plan.is_program,
        capabilities=tuple(sorted(run.capabilities(plan.name))),
        limits={name: float(value) for name, value in limits.items() if value != defaults[name]},
        samples=Samples(given=tuple(given), declined=settings.declined, digest=slow_digest(settings.samples)),
        config=Redacted.of(settings.config),
        metadata=Redacted.of(_words(settings.metadata)),
        env=Redacted.of(_words(settings.env)),
        waivers=run.settings.waivers,
        settings_digest=slow_digest(settings.model_dump(mode="json")),
        isolation=Isolation(
            environment="none" if plan.address or plan.make else "inherited" if profile is Profile.CLI else "scrubbed",
            lifeline=not (plan.address or plan.make),
        ),
    )


def _subject(run: Run, path: Path | None, *, ended: bool) -> Subject | None:
    if path is None:
        return None
    try:
        found = digest(path)
        size = path.stat().st_size
    except OSError:
        # Gone since the run began: the digest at the end differs from any that the file ever had.
        found, size = "0" * 64, 0
    first = run.subjects.setdefault(str(path), (found, size))
    return Subject(file=path.name, sha256=first[0], sha256_after=found if ended else None, size=first[1])


def _form(form: str) -> Literal["", "PORT", "PROVIDER_PORT", "UNIX"]:
    match form:
        case "PORT" | "PROVIDER_PORT" | "UNIX":
            return form
        case _:
            return ""


def _words(table: dict[str, Text]) -> dict[str, str]:
    return {name: f"from {t.variable}" if isinstance(t, FromEnvironment) else t for name, t in table.items()}


def secrets_of(plan: TargetPlan) -> tuple[str, ...]:
    """Return the texts that no report may show: values of metadata, of secret keys, and those from the environment."""
    settings = plan.settings
    keys: Iterable[str] = settings.samples.get("secret_keys", ())
    config = plan.good_config(Profile.STANDARD)
    found = [str(config[key]) for key in keys if key in config]
    found += plan.metadata().values()
    environment = plan.environment()
    found += [environment[name] for name, text in settings.env.items() if isinstance(text, FromEnvironment)]
    return tuple(text for text in found if len(text) >= SHORTEST_SECRET)
