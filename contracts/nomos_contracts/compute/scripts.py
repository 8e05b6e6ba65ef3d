"""Bootstrap scripts as the programs read them: a shell, cloud-init, Ignition."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from nomos_contracts.compute.clouds import read_cloud_init
from nomos_contracts.compute.ignition import read_ignition
from nomos_contracts.compute.interface import BootstrapFormat, BootstrapScript
from nomos_contracts.compute.plans import Plan, utf8
from nomos_contracts.compute.shells import read_shell


def parse(script: BootstrapScript) -> Plan:
    """Read a script as its program would.

    Raises:
        ScriptError: the program would refuse it.
        Blocked: it is one for a program that this machine does not have.
    """
    utf8(script.content, "the script")
    readers: Mapping[BootstrapFormat, Callable[[str], Plan]] = {
        BootstrapFormat.SHELL: read_shell,
        BootstrapFormat.CLOUD_INIT: read_cloud_init,
        BootstrapFormat.IGNITION: read_ignition,
    }
    return readers[script.format](script.content)
