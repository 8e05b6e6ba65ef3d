"""Info: who the provider says it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from nomos_contracts.clause import clause
from nomos_contracts.config.documents import told, without
from nomos_contracts.config.probes import at_once
from nomos_contracts.config.samples import ConfigSamples
from nomos_contracts.contract import Contract
from nomos_contracts.process.interface import CLOSED_CODES, initialised
from nomos_contracts.provider import RunningProvider, TargetFacts
from nomos_contracts.violation import NotApplicable, Violation, expect_code, expect_ok

Observe = Callable[[str, object], None]

_NUMBER = r"(?:0|[1-9][0-9]*)"
_PRE = rf"(?:{_NUMBER}|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
SEMVER = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-{_PRE}(?:\.{_PRE})*)?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
)
"""A version as semver.org writes it, without a leading v."""

NAME_PREFIX = "nomos-provider-"


class InfoContract(Contract):
    """Info answers always, and always the same: it tells builds apart.

    Type and version belong to the build, the alias to the last good Init.
    """

    @clause("CFG-INFO-001")
    def test_answers_at_any_time(self, nomos_fresh: RunningProvider, nomos_target: TargetFacts) -> None:
        """Twice before Init, after it, and after Shutdown unless the process is gone."""
        for when in ("before Init", "before Init, again"):
            _info(nomos_fresh, when)
        initialised(nomos_fresh)
        _info(nomos_fresh, "after Init")
        nomos_fresh.shutdown()
        answer = nomos_fresh.info()
        if answer.code != "OK" and nomos_fresh.wait(nomos_target.limits.get("grace", 5.0)) is None:
            expect_code(answer, "OK", *CLOSED_CODES, because="after Shutdown")

    @clause("CFG-INFO-002")
    def test_reports_a_semantic_version(self, nomos_provider: RunningProvider) -> None:
        """Strict: three numbers, no leading v, no leading zeros."""
        answer = nomos_provider.info()
        version = _info(nomos_provider, "after Init")["version"]
        if not SEMVER.fullmatch(version):
            raise Violation("a version such as 1.2.3 or 1.2.3-rc.1+build.5", repr(version), answer)

    @clause("CFG-INFO-003")
    def test_reports_the_version_that_was_built(
        self, nomos_provider: RunningProvider, nomos_samples: ConfigSamples
    ) -> None:
        """Compared with the sample, character by character."""
        answer = nomos_provider.info()
        version = _info(nomos_provider, "after Init")["version"]
        if version != nomos_samples.version:
            raise Violation(f"the version {nomos_samples.version!r} of the sample", repr(version), answer)

    @clause("CFG-INFO-004")
    def test_keeps_type_and_version(self, nomos_fresh: RunningProvider, nomos_provider: RunningProvider) -> None:
        """Before and after Init, call to call, many at once, and in another process."""
        first = nomos_fresh.info()
        said = _build(_info(nomos_fresh, "before Init"))
        if not said[0]:
            raise Violation("a type that is not empty", repr(said[0]), first)
        if not said[1]:
            raise Violation("a version that is not empty", repr(said[1]), first)
        seen = [nomos_fresh.info()]
        initialised(nomos_fresh)
        seen += [nomos_fresh.info() for _ in range(3)]
        nomos_fresh.fetch(("",))
        seen += at_once([nomos_fresh.info] * 8)
        seen += [nomos_fresh.info(), nomos_provider.info()]
        for answer in seen:
            expect_ok(answer)
            if _build(told(answer)) != said:
                raise Violation(f"type and version {said} each time", str(_build(told(answer))), first, answer)

    @clause("CFG-INFO-005")
    def test_is_named_by_its_type(self, nomos_provider: RunningProvider, nomos_target: TargetFacts) -> None:
        """Only where the name begins with nomos-provider-; version and platform may follow."""
        name = nomos_target.file.name if nomos_target.file else ""
        if not name.startswith(NAME_PREFIX):
            raise NotApplicable("the binary's name does not begin with nomos-provider-")
        answer = nomos_provider.info()
        kind = _info(nomos_provider, "after Init")["type"]
        rest = name.removeprefix(NAME_PREFIX).removesuffix(".exe")
        if rest != kind and not rest.startswith(f"{kind}-"):
            raise Violation(f"a type that the name {name!r} goes on with", repr(kind), answer)

    @clause("CFG-INFO-006")
    def test_reports_its_alias(self, nomos_fresh: RunningProvider, nomos_observe: Observe) -> None:
        """Empty before Init is usual; afterwards it is the name that Init gave."""
        nomos_observe("alias before Init", _info(nomos_fresh, "before Init")["alias"])
        alias = f"{nomos_fresh.alias or 'settings'}-renamed"
        expect_ok(nomos_fresh.init(alias=alias))
        _expect_alias(nomos_fresh, alias, "that Init gave")
        # A second Init may be refused; then the first one's name stays.
        second = nomos_fresh.init(alias=f"{alias}-again")
        expect_code(second, "OK", "FAILED_PRECONDITION", because="the same configuration under another alias")
        _expect_alias(nomos_fresh, f"{alias}-again" if second.ok else alias, "of the last Init that was accepted")

    @clause("CFG-INFO-006")
    def test_takes_no_alias_from_an_init_that_failed(
        self, nomos_fresh: RunningProvider, nomos_samples: ConfigSamples, nomos_observe: Observe
    ) -> None:
        """Of a refused Init nothing stays; who serves nothing after it may have no alias either."""
        bad = [sample.config for sample in (*nomos_samples.bad_configs, *nomos_samples.unavailable)]
        bad += [without(nomos_fresh.good_config, key) for key in nomos_samples.required_keys]
        alias = f"{nomos_fresh.alias or 'settings'}-kept"
        expect_ok(nomos_fresh.init(alias=alias))
        seen = ""
        # One with an empty configuration may be accepted.
        for config in filter(None, bad):
            answer = nomos_fresh.init(config, alias=f"{alias}-refused")
            if answer.ok:
                break  # of another clause
            seen = str(_info(nomos_fresh, "after a refused Init")["alias"]) or "none"
            if seen not in {alias, "none"}:
                expected = f"the alias {alias!r} of the last Init that was accepted"
                raise Violation(expected, repr(seen), answer, *nomos_fresh.answers[-1:])
        if not seen:
            raise NotApplicable("no second Init was refused")
        nomos_observe("alias after a refused Init", "as before" if seen == alias else seen)

    @clause("CFG-INFO-007")
    def test_may_carry_build_metadata(self, nomos_provider: RunningProvider, nomos_observe: Observe) -> None:
        """Recorded only."""
        nomos_observe("build metadata in the version", "+" in str(_info(nomos_provider, "after Init")["version"]))


def _info(provider: RunningProvider, when: str) -> Mapping[str, Any]:
    answer = expect_ok(provider.info(), when)
    if answer.decode_error or not told(answer):
        raise Violation(f"Info {when} answers alias, version and type", answer.summary, answer)
    return told(answer)


def _expect_alias(provider: RunningProvider, alias: str, which: str) -> None:
    reported = _info(provider, "after Init")["alias"]
    if reported != alias:
        raise Violation(f"the alias {alias!r} {which}", repr(reported), *provider.answers[-1:])


def _build(info: Mapping[str, Any]) -> tuple[str, str]:
    return str(info.get("type", "")), str(info.get("version", ""))
