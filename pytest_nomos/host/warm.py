"""A warm reaper: one that has imported what Python providers import, and starts them by fork instead of anew.

A start of a Python provider is import work for nine tenths. Whoever starts thousands of them (the kill matrix) has it
done once: ``python -m pytest_nomos.host.warm SOCKET HOST_PID MODULE,MODULE FOLDER…`` is a reaper that runs
``python -m MODULE`` in the forked process itself; every other program is executed as ever. Pipes, process group,
variables, folder and signals are those of a cold start; gRPC is imported and not initialised before the fork.
"""

from __future__ import annotations

import contextlib
import gc
import os
import runpy
import signal
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from pkgutil import walk_packages
from typing import Any, Never

from pytest_nomos.host import reaper


def load(modules: Sequence[str]) -> None:
    """Import *modules* and all that is in them, but what runs when it is imported."""
    for name in modules:
        found = import_module(name)
        for entry in walk_packages(getattr(found, "__path__", ()), f"{name}."):
            if not entry.name.endswith("__main__"):
                import_module(entry.name)
    gc.collect()
    gc.freeze()  # or the first collection after a fork copies every page


def module_of(request: dict[str, Any], modules: Sequence[str]) -> str:
    """Return the module of a request for ``python -m MODULE`` that is one of *modules*, else an empty string."""
    words = [os.fsdecode(word) for word in request["argv"][:3]]
    named = len(words) == 3 and words[1] == "-m" and words[2] in modules  # python -m MODULE
    return words[2] if named and os.fsdecode(request["program"]) == sys.executable else ""


def become(module: str, request: dict[str, Any], failure: int) -> Never:
    """Run *module* as the program of this process, which was forked for it."""
    os.close(failure)  # as executing would: the keeper takes that for success
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    os.environb.clear()
    os.environb.update(request["env"])
    sys.argv = [os.fsdecode(word) for word in request["argv"][2:]]
    code = 1
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 # what an interpreter does with what nobody caught
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)


def main(arguments: list[str]) -> None:
    """Load the modules, then be a reaper."""
    channel, host, modules, *folders = arguments
    names = modules.split(",")
    load(names)

    def start(request: dict[str, Any], failure: int) -> None:
        module = module_of(request, names)
        if module:
            become(module, request, failure)
        reaper.replace(request, failure)

    reaper.main([channel, host, *folders], start)


if __name__ == "__main__":
    main(sys.argv[1:])
