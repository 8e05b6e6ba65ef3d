"""Bootstrap: a valid script whose checksum is right, and in which nothing that is configured can run by itself."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from nomos_contracts.clause import clause
from nomos_contracts.compute.attacks import (
    HOST_FEATURES,
    PLAIN_VALUES,
    QUOTES,
    REFUSALS,
    Trial,
    delimiters_of,
    made,
    plan_of,
    script_of,
)
from nomos_contracts.compute.fleet import bootstrap, code_of, shaped, told
from nomos_contracts.compute.interface import BootstrapConfig, BootstrapFeature, BootstrapScript, FeatureName
from nomos_contracts.compute.plans import ScriptError
from nomos_contracts.compute.scripts import parse
from nomos_contracts.contract import Contract
from nomos_contracts.provider import Answer, InterfaceProvider
from nomos_contracts.violation import Violation, shorten

AT_ONCE, ROUNDS = 8, 3
"""Scripts that are made at the same time, and how often."""


class BootstrapContract(Contract):
    r"""A bootstrap script is valid, its checksum that of its bytes, and values in it stay values.

    Put every value in single quotes, and each single quote in it as '\''. Write no heredoc that content can close. Hash
    the bytes that you hand over.
    """

    @clause("CMP-BOOT-001")
    def test_gives_a_script(self, nomos_provider: InterfaceProvider) -> None:
        """For the least configuration, with a script of the user's, with an environment, with a feature."""
        cases: tuple[dict[str, Any], ...] = (
            {},
            {"init_script": "true\n"},
            {"environment": {"A": "b"}},
            {"features": tuple(BootstrapFeature(one, version="1", config={"a": "b"}) for one in HOST_FEATURES)},
        )
        for changes in cases:
            answer = shaped(nomos_provider.invoke("generate_bootstrap", cfg=bootstrap(**changes)))
            if answer.code != "OK" or not answer.value.content.strip():
                raise Violation(f"a script for a configuration with {shorten(changes)}", told(answer), answer)

    @clause("CMP-BOOT-002")
    def test_the_checksum_is_that_of_the_bytes(self, nomos_provider: InterfaceProvider) -> None:
        """SHA-256 of the UTF-8 bytes in lowercase hex; with letters of other scripts and line ends of all kinds.

        Signs that some normalise may be refused.
        """
        odd = "e\u0301 \u212b\r\na\rb\x85c\u2028d\ufeff \x1b[1m\n \n"
        for changes in ({"environment": {"A": odd}}, {"init_script": f": '{odd}'\n\n"}, {"control_plane_url": odd}):
            answer = shaped(nomos_provider.invoke("generate_bootstrap", cfg=bootstrap(**changes)))
            if code_of(answer) not in REFUSALS:
                self._expect_checksum(script_of(answer), answer)
        cases: tuple[dict[str, Any], ...] = (
            {},
            {"environment": {"A": "ü ∞ \U0001f600"}},
            {"init_script": "echo 'Grüße'\r\n\n\n"},
            {"init_script": "true", "environment": {"B": "x" * 5000}},
            {"control_plane_url": "https://example.com/ü"},
        )
        for changes in cases:
            script = made(nomos_provider, bootstrap(**changes))
            self._expect_checksum(script, nomos_provider.answers[-1])

    @staticmethod
    def _expect_checksum(script: BootstrapScript, answer: Answer) -> None:
        try:
            wanted = hashlib.sha256(script.content.encode()).hexdigest()
        except UnicodeEncodeError as error:
            raise Violation("a script that has UTF-8 bytes", str(error), answer) from error
        if script.checksum != wanted:
            raise Violation(f"checksum {wanted}", script.checksum or "none", answer)

    @clause("CMP-BOOT-003")
    def test_its_program_can_read_it(self, nomos_provider: InterfaceProvider) -> None:
        """A shell by `sh -n`, cloud-init by its schema, Ignition by its specification."""
        cases: tuple[dict[str, Any], ...] = (
            {},
            {"init_script": "if true; then\n  echo 'it is'\nfi\n"},
            {"environment": {f"V{number}": value for number, value in enumerate((*PLAIN_VALUES, *QUOTES))}},
            {"features": (BootstrapFeature(FeatureName.DOCKER),)},
        )
        for changes in cases:
            script = made(nomos_provider, bootstrap(**changes))
            try:
                parse(script)
            except ScriptError as error:
                answers = nomos_provider.answers[-1:]
                raise Violation(f"{script.format.value} that its program can read", str(error), *answers) from error

    @clause("CMP-BOOT-004")
    def test_equal_configurations_give_equal_scripts(self, nomos_provider: InterfaceProvider) -> None:
        """Asked again, with the environment and the settings of a feature in another order, and beside others."""
        names = {f"V{number}": str(number) for number in range(8)}
        turned = dict(reversed(list(names.items())))

        def ask(environment: Mapping[str, str], settings: Mapping[str, str]) -> BootstrapScript:
            features = (BootstrapFeature(HOST_FEATURES[0], version="1", config=settings),)
            cfg = bootstrap(environment=environment, init_script="true\n", features=features)
            return made(nomos_provider, cfg)

        first = ask(names, names)
        for again in ((names, names), (turned, names), (names, turned), (names, names)):
            if ask(*again) != first:
                raise Violation("the same script again", "another one", *nomos_provider.answers[-2:])
        several = [bootstrap(environment={"A": str(number)}, init_script="true\n") for number in range(AT_ONCE)]
        alone = [made(nomos_provider, cfg) for cfg in several]
        for _ in range(ROUNDS):
            pending = [nomos_provider.start("generate_bootstrap", cfg=cfg) for cfg in several]
            for script, answer in zip(alone, [one.answer() for one in pending], strict=True):
                if script_of(answer) != script:
                    raise Violation("the same script beside others", "another one", answer)

    @clause("CMP-BOOT-005")
    def test_everything_that_is_configured_is_in_it(self, nomos_provider: InterfaceProvider) -> None:
        """Another agent, control plane, token, user's script, variable or value gives another script."""
        start = bootstrap(init_script="true\n", environment={"A": "b"})
        plain = made(nomos_provider, start)
        changes: tuple[dict[str, Any], ...] = (
            {"agent_url": "https://agent.example.com/other"},
            {"control_plane_url": "https://other.example.com"},
            {"registration_token": "another-token"},
            {"init_script": "false\n"},
            {"environment": {"A": "c"}},
            {"environment": {"A": "b", "C": "d"}},
            {"features": (BootstrapFeature(FeatureName.DOCKER),)},
        )
        self._depends_on_the_feature(nomos_provider, start)
        for change in changes:
            script = made(nomos_provider, replace(start, **change))
            if script.content == plain.content:
                name = next(iter(change))
                raise Violation(f"a script that depends on {name}", "the same script", *nomos_provider.answers[-1:])

    @staticmethod
    def _depends_on_the_feature(provider: InterfaceProvider, start: BootstrapConfig) -> None:
        usual = BootstrapFeature(HOST_FEATURES[0], version="1", config={"a": "b"})
        answer = provider.invoke("generate_bootstrap", cfg=replace(start, features=(usual,)))
        if not shaped(answer).ok:
            return  # whether it knows such a setting is its own business
        for name, other in (
            ("version", replace(usual, version="2")),
            ("config", replace(usual, config={"a": "c"})),
            ("config", replace(usual, config={"a": "b", "c": "d"})),
        ):
            script = provider.invoke("generate_bootstrap", cfg=replace(start, features=(other,)))
            if shaped(script).ok and script.value.content == answer.value.content:
                raise Violation(f"a script that depends on the {name} of a feature", "the same script", answer, script)

    @clause("CMP-BOOT-007")
    def test_values_of_variables_never_run(self, nomos_provider: InterfaceProvider, nomos_scratch: Path) -> None:
        """Substitutions, quotes, separators, line ends, words that end heredocs: none makes its canary."""
        trial = Trial(nomos_provider, nomos_scratch / "values")
        delimiters = _read(nomos_provider, environment={"A": "b"})
        trial.try_groups(
            lambda texts: bootstrap(environment={f"NOMOS_V{number}": one for number, one in enumerate(texts)}),
            "values of variables",
            delimiters,
        )
        trial.expect_silence()

    @clause("CMP-BOOT-008")
    def test_addresses_and_token_never_run(self, nomos_provider: InterfaceProvider, nomos_scratch: Path) -> None:
        """Agent, control plane, registration token; of each feature the version, a setting and its key."""
        trial = Trial(nomos_provider, nomos_scratch / "addresses")
        delimiters = _read(nomos_provider)
        parts: list[partial[BootstrapConfig]] = [
            partial(_address, one) for one in ("agent_url", "control_plane_url", "registration_token")
        ]
        parts += [partial(_feature, names, place) for names, place in _features(nomos_provider)]
        for part in parts:
            what = f"texts in {part.args[-1]}"
            # All at once in one text: each is tried in the quotes that the one before it may have left.
            trial.try_groups(partial(_joined, part), what, delimiters)
            for kind in ("$(touch {})", "`touch {}`", "'; touch {}; '", '"; touch {}; "', "$$((touch {})"):
                trial.try_one(partial(_single, part, kind), what)
        trial.expect_silence()

    @clause("CMP-BOOT-012")
    def test_it_fits_into_user_data(self, nomos_provider: InterfaceProvider) -> None:
        """Under 16 KiB for a user's script of 4 KiB, the least that clouds take."""
        script = made(nomos_provider, bootstrap(init_script=": " + "x" * 4094))
        size = len(script.content.encode())
        if size > 16 * 1024:
            raise Violation("at most 16 KiB", f"{size} bytes", *nomos_provider.answers[-1:])


def _address(part: str, text: str) -> BootstrapConfig:
    return bootstrap(**{part: text})


def _feature(names: Sequence[FeatureName], place: str, text: str) -> BootstrapConfig:
    """Features that have *text* as version, key or setting, or as all of them at once."""
    version = text if place in ("version", "feature") else "1"
    config = {"key": {text: "b"}, "setting": {"a": text}, "feature": {text: text}}.get(place)
    return bootstrap(features=tuple(BootstrapFeature(one, version, config) for one in names))


def _features(provider: InterfaceProvider) -> Iterator[tuple[tuple[FeatureName, ...], str]]:
    """Yield the features that are taken, with the places of theirs to try; as much at once as is taken at once."""

    def taken(names: tuple[FeatureName, ...], place: str, text: str) -> bool:
        return bool(names) and shaped(provider.invoke("generate_bootstrap", cfg=_feature(names, place, text))).ok

    known = tuple(one for one in FeatureName if taken((one,), "version", "1"))
    for names in [known] if taken(known, "version", "1") else [(one,) for one in known]:
        whole = taken(names, "feature", "$x 'y' \"z\"")
        yield from ((names, place) for place in (("feature",) if whole else ("version", "key", "setting")))


def _joined(part: Callable[[str], BootstrapConfig], texts: Sequence[str]) -> BootstrapConfig:
    return part("https://example.com/" + " ".join(texts))


def _single(part: Callable[[str], BootstrapConfig], kind: str, canary: str) -> BootstrapConfig:
    return part("https://example.com/" + kind.format(canary))


def _read(provider: InterfaceProvider, **changes: Any) -> tuple[str, ...]:
    """Return the words that end heredocs in a harmless script; one that cannot be read is another clause's matter."""
    plain = made(provider, bootstrap(**changes))
    plan_of(plain)
    return delimiters_of(plain.content)
