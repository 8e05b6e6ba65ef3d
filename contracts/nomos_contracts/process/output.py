"""Output: stdout belongs to the announcement."""

from __future__ import annotations

from nomos_contracts.clause import clause
from nomos_contracts.config.samples import ConfigSamples
from nomos_contracts.contract import Contract
from nomos_contracts.process.interface import first_running, initialised, running
from nomos_contracts.process.traffic import exercise, upset
from nomos_contracts.provider import Announcement, RunningProvider, Start, Starter, TargetFacts
from nomos_contracts.violation import Violation, shorten

_OTHER_FORM = {"PORT": b"PROVIDER_PORT", "PROVIDER_PORT": b"PORT"}


def strange_output(stdout: bytes, announcement: Announcement) -> bytes:
    """Return what stands on *stdout* besides the announcement and its repetition in the other form."""
    rest = stdout
    allowed = [announcement.line.removesuffix(b"\r")]
    if announcement.port is not None:
        allowed.append(b"%s=%d" % (_OTHER_FORM[announcement.form], announcement.port))
    for line in allowed:
        head, newline, tail = rest.partition(b"\n")
        if newline and head.removesuffix(b"\r") == line:
            rest = tail
    return rest


def must_be_quiet(provider: RunningProvider, when: str) -> None:
    """See that nothing but the announcement was written to stdout.

    Raises:
        Violation: something was.
    """
    strange = strange_output(provider.stdout(), provider.announcement)
    if strange:
        size = provider.stdout_bytes()
        raise Violation(
            "nothing on stdout besides the announcement",
            f"{shorten(strange)} {when}; {size} bytes in all",
            evidence={"stdout_bytes": size},
        )


class OutputContract(Contract):
    """After the announcement stdout stays silent for the whole life of the process; logs go to stderr.

    The command line never reads stdout again: after 64 KiB the next print blocks the provider. Look for print and
    console.log left from debugging, for loggers whose default is stdout, and for libraries that greet.
    """

    @clause("PROC-OUTPUT-001")
    def test_quiet_until_shutdown(
        self, nomos_start: Start, nomos_spawn: Starter, nomos_samples: ConfigSamples, nomos_target: TargetFacts
    ) -> None:
        """Every method with good and bad requests, and callers that leave, at the most talkative log level."""
        first_running(nomos_start)
        start = nomos_spawn(args=("--log-level", "debug"))
        provider = initialised(start.provider if start.provider is not None else running(nomos_spawn()))
        exercise(provider, nomos_samples, unruly=True)
        upset(provider, nomos_samples)
        must_be_quiet(provider, "while it was used")
        provider.shutdown()
        provider.wait(nomos_target.limits["grace"])
        must_be_quiet(provider, "at its Shutdown")

    @clause("PROC-OUTPUT-001")
    def test_quiet_until_sigterm(
        self, nomos_fresh: RunningProvider, nomos_samples: ConfigSamples, nomos_target: TargetFacts
    ) -> None:
        """The same at its own log level, ended by a signal."""
        exercise(initialised(nomos_fresh), nomos_samples, unruly=True)
        upset(nomos_fresh, nomos_samples)
        must_be_quiet(nomos_fresh, "while it was used")
        nomos_fresh.signal("SIGTERM")
        nomos_fresh.wait(nomos_target.limits["grace"])
        must_be_quiet(nomos_fresh, "at SIGTERM")

    @clause("PROC-OUTPUT-001")
    def test_quiet_on_a_socket_until_sigint(
        self, nomos_start: Start, nomos_spawn: Starter, nomos_samples: ConfigSamples, nomos_target: TargetFacts
    ) -> None:
        """A process that was asked for a Unix socket, ended by the other signal."""
        first_running(nomos_start)
        start = nomos_spawn(unix=True)
        provider = initialised(start.provider if start.provider is not None else running(nomos_spawn()))
        exercise(provider, nomos_samples)
        upset(provider, nomos_samples)
        must_be_quiet(provider, "while it was used")
        provider.signal("SIGINT")
        provider.wait(nomos_target.limits["grace"])
        must_be_quiet(provider, "at SIGINT")

    @clause("PROC-OUTPUT-001")
    def test_quiet_for_a_long_time(self, nomos_provider: RunningProvider) -> None:
        """The process that all shared checks have used."""
        nomos_provider.health()
        must_be_quiet(nomos_provider, "while other checks used it")
