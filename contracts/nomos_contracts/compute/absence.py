"""What the sandbox lacks and an instance has: why a script that is right may end early there."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from nomos_contracts.compute.sandbox import Execution

_COMMAND: Final = re.compile(
    r"""(?mx)
    ^(?:.*:\s)?['‘"]?(?P<plain>[^\s:'’"]+)['’"]?:\s(?:command\s)?not\ found\s*$       # dash, bash, busybox
    | ^(?:/usr/bin/)?env:\s['‘"]?(?P<env>[^:'’"\n]+)['’"]?:\sNo\ such\ file            # coreutils
    | /env:\sbad\ interpreter | (?P<interpreter>/[^\s:]+):\sbad\ interpreter
    """
)
_FILE: Final = re.compile(
    r"""(?mx)
    cannot\ open\s['‘"]?(?P<open>/[^\s:'’"]+)['’"]?.*No\ such\ file
    | cannot\ create\s(?P<create>/[^\s:]+):\s(?:Directory\ nonexistent|Read-only\ file\ system|Permission\ denied)
    | (?<![\w.~/])['‘"]?(?P<path>/[^\s:'’"]+)['’"]?:\s
      (?:No\ such\ file\ or\ directory|Read-only\ file\ system|Operation\ not\ permitted)
    | ^(?:.*:\s)?(?P<run>/[^\s:]+):\snot\ found
    """
)
_NETWORK: Final = re.compile(
    "Name or service not known|Temporary failure in name resolution|Network is unreachable|ENETUNREACH|EAI_AGAIN"
)
_PLAIN: Final = re.compile(r"[A-Za-z_./][\w./+@-]*")


def absent(done: Execution, values: Iterable[str], script: str, allow: str) -> str:
    """Return what a script asked for that an instance has and the sandbox has not; empty where there is nothing.

    A word that comes from what was configured was executed because the script is wrong: then nothing is absent.

    Args:
        done: how the script ended.
        values: values that were configured; what is a part of one comes from there.
        script: the user's script; what is a word of it comes from there.
        allow: the scratch folder: what is missing there is no part of a machine.
    """
    commands = [next((one for one in found.groups() if one), "") for found in _COMMAND.finditer(done.output)]
    files = [next((one for one in found.groups() if one), "") for found in _FILE.finditer(done.output)]
    texts = [_letters(value) for value in values]
    words = set(re.split(r"[\s;&|$()<>`'\"\\{}=]+", script)) | set(script.splitlines())
    for word in commands:
        if word in words or not _PLAIN.fullmatch(word) or any(_letters(word) in text for text in texts):
            return ""
    for word in commands:
        return f"there is no {word}: install it on this machine"
    for path in files:
        if not path.startswith((allow, "/tmp/")):  # noqa: S108 # a name, not a file
            return f"there is no {path}, or it cannot be written there"
    if _NETWORK.search(done.output):
        return "there is no network; `curl` and `wget` have stand-ins"
    # A script that ended well got by with what it fetched; what it left to others may still be missing.
    notes = [one for one in done.notes if done.code or one.startswith("it has no")]
    return notes[0] if notes else ""


def _letters(text: str) -> str:
    return "".join(sign for sign in text if sign.isalnum())
