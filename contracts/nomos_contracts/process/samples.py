"""Samples of a process: what it is asked in place of a Fetch where its interface is one of functions."""

from __future__ import annotations

from importlib import import_module

from nomos_contracts.config.samples import ConfigSamples


class CallSamples(ConfigSamples):
    """No sample of Fetch, which finds nothing here, and a function that takes nothing and changes nothing.

    Attributes:
        interface: the interface of the provider.
        function: the function; its answer does not count.
    """

    interface: str
    function: str


def call_samples(interface: str) -> CallSamples:
    """Return what a process of *interface*, one of functions, is asked."""
    module = import_module(f"nomos_contracts.{interface}.interface")
    return CallSamples(interface=interface, function=module.LOOK)
