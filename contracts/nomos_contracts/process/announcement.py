"""Announcement: how a provider says where it listens, in the written form and in that of the command line."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from nomos_contracts.clause import clause
from nomos_contracts.contract import Contract
from nomos_contracts.process.interface import first_running
from nomos_contracts.process.start import started_or_broken
from nomos_contracts.process.traffic import soon
from nomos_contracts.provider import RunningProvider, Start, TargetFacts
from nomos_contracts.violation import NotApplicable, Violation, shorten

_LINE = re.compile(rb"(?:PORT|PROVIDER_PORT)=[0-9]+|UNIX=/[^\0]+")
_PORT_RANGE = (1024, 65535)
_SECOND_LINE = 1.0
"""Seconds that a second line may take after the first, for providers that print the two forms apart."""


class AnnouncementContract(Contract):
    """The first line on stdout says where the provider listens, is complete, in time and true.

    Callers read it with a simple scanner: no spaces, no quotes, no log line before it. Flush after printing it: stdout
    is a pipe here, and most runtimes keep what is written to a pipe until some KiB are there.
    """

    @clause("PROC-ANNOUNCE-001")
    def test_first_line_is_an_announcement(self, nomos_start: Start) -> None:
        """Nothing stands before it, around it or after the digits; a carriage return is tolerated."""
        expected = "PORT=<digits>, PROVIDER_PORT=<digits> or UNIX=<absolute path> as the first line on stdout"
        provider = started_or_broken(nomos_start, "PROC-ANNOUNCE-001", expected)
        line = provider.announcement.line.removesuffix(b"\r")
        if not _LINE.fullmatch(line):
            raise Violation(expected, shorten(line))

    @clause("PROC-ANNOUNCE-002")
    def test_line_is_complete(self, nomos_start: Start) -> None:
        """The line ends with a newline while the process runs."""
        started_or_broken(nomos_start, "PROC-ANNOUNCE-002", "a newline at the end of the announcement")

    @clause("PROC-ANNOUNCE-003")
    def test_line_is_in_time(self, nomos_start: Start, nomos_target: TargetFacts) -> None:
        """The complete line is there within the limit, which is 5 s unless the settings say otherwise."""
        bound = nomos_target.limits["announce"]
        started_or_broken(nomos_start, "PROC-ANNOUNCE-003", f"an announcement within {bound:g} s of the start")

    @clause("PROC-ANNOUNCE-004")
    def test_port_is_in_range(self, nomos_start: Start) -> None:
        """The number is a port that an unprivileged program can have."""
        low, high = _PORT_RANGE
        provider = started_or_broken(nomos_start, "PROC-ANNOUNCE-004", f"a port between {low} and {high}")
        port = provider.announcement.port
        if port is not None and not low <= port <= high:
            raise Violation(f"a port between {low} and {high}", str(port))


class AnnouncedFormContract(Contract):
    """The written protocol and today's command line read different words; a provider can print both, one line each."""

    @clause("PROC-ANNOUNCE-005")
    def test_written_form_comes_first(self, nomos_start: Start, nomos_observe: Callable[[str, object], None]) -> None:
        """The first line is the one of the written protocol."""
        announced = first_running(nomos_start).announcement
        nomos_observe("announced form", announced.form)
        if announced.form not in {"PORT", "UNIX"}:
            raise Violation("PORT=<port> as the first line on stdout", shorten(announced.line))

    @clause("PROC-ANNOUNCE-006")
    def test_command_line_finds_its_form(self, nomos_start: Start) -> None:
        """Among the first two lines is exactly the line that the command line scans for, with the port that is true."""
        provider = first_running(nomos_start)
        port = provider.announcement.port
        wanted = b"PROVIDER_PORT=%d" % port if port is not None else b"PROVIDER_PORT="

        def lines() -> list[bytes]:
            return [line.removesuffix(b"\r") for line in provider.stdout().split(b"\n")[:-1][:2]]

        soon(lambda: wanted in lines() or len(lines()) == 2, _SECOND_LINE)
        seen = lines()
        if wanted not in seen or port is None:
            expected = (
                f"a line {wanted.decode()} among the first two on stdout" if port else "a line PROVIDER_PORT=<port>"
            )
            raise Violation(expected, shorten(b"\n".join(seen)))


class ListenContract(Contract):
    """Where a provider listens: for callers on the same machine only, at a port that nobody had to agree on."""

    @clause("PROC-LISTEN-001")
    def test_listens_on_loopback_only(self, nomos_provider: RunningProvider) -> None:
        """No socket of the process or its children is open to the network, also after Init."""
        open_to_all = [f"{host}:{port}" for host, port in nomos_provider.listeners() if not _is_loopback(host)]
        if open_to_all:
            raise Violation("listening sockets on 127.0.0.1 or ::1 only", f"it listens on {', '.join(open_to_all)}")

    @clause("PROC-LISTEN-002")
    def test_port_is_ephemeral(self, nomos_start: Start) -> None:
        """The port lies in the range from which the system hands out ports to those who bind port 0."""
        port = first_running(nomos_start).announcement.port
        if port is None:
            raise NotApplicable("the provider listens on a Unix socket")
        try:
            low, high = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split())
        except (OSError, ValueError) as error:
            raise NotApplicable("the system does not tell its range of ephemeral ports") from error
        if not low <= port <= high:
            raise Violation(f"a port that the system chose, between {low} and {high}", str(port))


def _is_loopback(host: str) -> bool:
    return host.removeprefix("::ffff:").startswith("127.") or host == "::1"
