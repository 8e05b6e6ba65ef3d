"""Bootstrap scripts as the programs read them: a shell, cloud-init, Ignition."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final
from urllib.parse import unquote_to_bytes

import yaml

from nomos_contracts.compute.interface import BootstrapFormat, BootstrapScript
from nomos_contracts.violation import Blocked
from nomos_proto.kinds import is_map, is_sequence

PARSE_SECONDS: Final = 10.0

CLOUD_KEYS: Final = frozenset(
    """
    apk_repos apt apt_pipelining autoinstall bootcmd byobu_by_default ca_certs ca-certs chef chpasswd
    cloud_config_modules cloud_final_modules cloud_init_modules create_hostname_file datasource
    device_aliases disable_ec2_metadata disable_root disable_root_opts disk_setup fan final_message fqdn
    fs_setup groups growpart hostname install_hotplug keyboard landscape launch-index locale
    locale_configfile lxd manage_etc_hosts manage_resolv_conf mcollective merge_how merge_type migrate
    mount_default_fields mounts network no_ssh_fingerprints ntp output package_reboot_if_required
    package_update package_upgrade packages password phone_home power_state prefer_fqdn_over_hostname
    preserve_hostname puppet random_seed reporting resize_rootfs resolv_conf rh_subscription rsyslog
    runcmd salt_minion snap spacewalk ssh ssh_authorized_keys ssh_deletekeys ssh_fp_console_blacklist
    ssh_genkeytypes ssh_import_id ssh_key_console_blacklist ssh_keys ssh_publish_hostkeys ssh_pwauth
    ssh_quiet_keygen swap system_info timezone ubuntu_advantage ubuntu_pro updates user users
    vendor_data version wireguard write_files yum_repo_dir yum_repos zypper
    """.split()  # noqa: SIM905 # words, not code
)
"""Top-level keys that cloud-init knows; any other is an error in its schema."""

SHELLS: Final = frozenset({"ash", "bash", "dash", "ksh", "mksh", "sh", "zsh"})
IGNITION_KEYS: Final = frozenset({"ignition", "kernelArguments", "passwd", "storage", "systemd"})
OTHER_USER_DATA: Final = (
    "Content-Type:",
    "MIME-Version:",
    "## template:",
    "#include",
    "#cloud-boothook",
    "#part-handler",
)
"""How user data begins that cloud-init takes and this module does not read."""
ENCODINGS: Final = frozenset({"b64", "base64", "gz+b64", "gz+base64", "gz", "gzip", "text/plain"})


class ScriptError(ValueError):
    """A script that its program refuses; the message says why."""


@dataclass(frozen=True)
class Plan:
    """What a script does: the files that it writes (path to content) and the commands that it runs, in order."""

    files: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    commands: tuple[tuple[str, ...], ...] = ()


def parse(script: BootstrapScript) -> Plan:
    """Read a script as its program would.

    Raises:
        ScriptError: the program would refuse it.
        Blocked: it is one for a program that this machine does not have.
    """
    readers: Mapping[BootstrapFormat, Callable[[str], Plan]] = {
        BootstrapFormat.SHELL: _shell,
        BootstrapFormat.CLOUD_INIT: _cloud_init,
        BootstrapFormat.IGNITION: _ignition,
    }
    return readers[script.format](script.content)


def interpreter_of(content: str) -> tuple[str, ...]:
    """Return the program, with its arguments, that the first line of a script names.

    Raises:
        ScriptError: it names none.
    """
    head = content.split("\n", 1)[0]
    words = head[2:].split() if head.startswith("#!") else []
    if words and words[0].rsplit("/", 1)[-1] == "env":
        words = [one for one in words[1:] if one != "-S" and "=" not in one]
    if not words:
        raise ScriptError("a shell script begins with #! and its interpreter")
    return (words[0].rsplit("/", 1)[-1], *words[1:])


def _shell_of(words: Sequence[str]) -> tuple[tuple[str, ...], Sequence[str]]:
    """Return the shell that a first line names, as this machine has it, and its options.

    Raises:
        Blocked: this machine has none of the name.
    """
    name, rest = (words[1], words[2:]) if words[0] == "busybox" and len(words) > 1 else (words[0], words[1:])
    ways = {"ash": (("ash",), ("busybox", "ash"), ("dash",)), "sh": (("sh",),)}
    if name not in SHELLS:
        raise Blocked("environment", f"the script is one for {name}, which is no shell that the contract can read")
    for way in ways.get(name, ((name,),)):
        if shutil.which(way[0]):
            return way, rest
    raise Blocked("environment", f"the script is one for {name}: install {name} on this machine")


@cache
def syntax_error(content: str, shell: tuple[str, ...] = ("sh",)) -> str:
    """Return what a shell says about the syntax of *content*; empty where it is right."""
    done = subprocess.run(
        [*shell, "-n"], input=content.encode(), capture_output=True, timeout=PARSE_SECONDS, check=False
    )
    return done.stderr.decode(errors="replace").strip() or "it is wrong" if done.returncode else ""


def _check_shell(content: str, shell: tuple[str, ...] = ("sh",)) -> None:
    wrong = "it holds a NUL character" if "\0" in content else syntax_error(content, shell)
    if wrong:
        raise ScriptError(f"`{' '.join(shell)} -n` refuses it: {wrong[:300]}")


def _shell(content: str) -> Plan:
    shell, options = _shell_of(interpreter_of(content))
    _check_shell(content, shell)
    return Plan(files={"/nomos-script": content.encode()}, commands=((*shell, *options, "/nomos-script"),))


def _cloud_init(content: str) -> Plan:
    if content.startswith("#!"):
        return _shell(content)
    other = next((one for one in OTHER_USER_DATA if content.startswith(one)), None)
    if other:
        raise Blocked("environment", f"user data that begins with {other!r} is right, and cannot be read here")
    if content.split("\n", 1)[0].rstrip() != "#cloud-config":
        raise ScriptError("user data begins with the line #cloud-config, or is a shell script")
    try:
        document = yaml.safe_load(content)
    except yaml.YAMLError as error:
        raise ScriptError(f"it is no YAML: {error}") from error
    if not is_map(document):
        raise ScriptError("a cloud-config is a map")
    unknown = sorted(str(key) for key in document if key not in CLOUD_KEYS)
    if unknown:
        raise ScriptError(f"cloud-init knows no key {unknown[0]!r}")
    files = dict(_written(document.get("write_files", [])))
    commands = [*_commands(document, "bootcmd"), *_commands(document, "runcmd")]
    packages = document.get("packages", [])
    if not is_sequence(packages):
        raise ScriptError("packages is a list")
    return Plan(files, tuple(commands))


def _commands(document: Mapping[str, Any], key: str) -> Iterator[tuple[str, ...]]:
    """Yield the one command of all of *key*: cloud-init writes them into one script, a line each."""
    found = document.get(key, [])
    if not is_sequence(found):
        raise ScriptError(f"{key} is a list")
    lines: list[str] = []
    for one in found:
        if isinstance(one, str):
            lines.append(one)
        elif is_sequence(one) and one and all(isinstance(part, str) for part in one):
            lines.append(shlex.join(one))
        elif one is not None:
            raise ScriptError(f"each command of {key} is a string or a list of strings")
    if lines:
        _check_shell("\n".join(lines) + "\n")
        yield ("sh", "-c", "\n".join(lines))


def _written(found: Any) -> Iterator[tuple[str, bytes]]:
    if not is_sequence(found):
        raise ScriptError("write_files is a list")
    for one in found:
        if not is_map(one) or not isinstance(one.get("path"), str) or not one["path"].startswith("/"):
            raise ScriptError("each of write_files has an absolute path")
        if set(one) - {"path", "content", "encoding", "permissions", "owner", "append", "defer", "source"}:
            raise ScriptError(f"write_files of {one['path']} has a key that cloud-init does not know")
        if not re.fullmatch(r"0?[0-7]{3,4}", str(one.get("permissions", "0644"))) or isinstance(
            one.get("permissions", ""), int
        ):
            raise ScriptError(f"permissions of {one['path']} are octal digits in quotes")
        yield one["path"], _decoded(one)


def _decoded(one: Mapping[str, Any]) -> bytes:
    import gzip

    encoding = str(one.get("encoding", "text/plain"))
    content = one.get("content", "")
    if encoding not in ENCODINGS or not isinstance(content, str | bytes):
        raise ScriptError(f"the content of {one['path']} is in no encoding that cloud-init knows")
    data = content.encode() if isinstance(content, str) else content
    try:
        if "b64" in encoding or "base64" in encoding:
            data = b64decode(data, validate=False)
        return gzip.decompress(data) if encoding.startswith("gz") else data
    except (ValueError, OSError, EOFError) as error:
        raise ScriptError(f"the content of {one['path']} is not {encoding}: {error}") from error


def _ignition(content: str) -> Plan:
    try:
        document = json.loads(content)
    except ValueError as error:
        raise ScriptError(f"it is no JSON: {error}") from error
    version = document.get("ignition", {}).get("version", "") if is_map(document) else ""
    if not re.fullmatch(r"(2|3)\.\d+\.0", str(version)):
        raise ScriptError("ignition.version is a version of its specification, for instance 3.3.0")
    unknown = sorted(set(document) - IGNITION_KEYS)
    if unknown:
        raise ScriptError(f"Ignition knows no key {unknown[0]!r}")
    files = dict(_ignition_files(document.get("storage", {}).get("files", [])))
    return Plan(files, tuple(_ignition_commands(document.get("systemd", {}).get("units", []))))


def _ignition_files(found: Any) -> Iterator[tuple[str, bytes]]:
    for one in found:
        path = one.get("path") if is_map(one) else None
        if not isinstance(path, str) or not path.startswith("/"):
            raise ScriptError("each file has an absolute path")
        if not isinstance(one.get("mode", 0), int) or not 0 <= one.get("mode", 0) <= 0o7777:  # bits
            raise ScriptError(f"the mode of {path} is a number")
        source = one.get("contents", {}).get("source", "data:,")
        if isinstance(source, str) and source.startswith("data:"):
            head, _, data = source[5:].partition(",")
            yield path, b64decode(unquote_to_bytes(data)) if head.endswith(";base64") else unquote_to_bytes(data)
        elif not isinstance(source, str) or not re.match(r"(https?|tftp|s3|gs)://", source):
            raise ScriptError(f"the source of {path} is a data URL or one to fetch")


def _ignition_commands(found: Any) -> Iterator[tuple[str, ...]]:
    for one in found:
        if not is_map(one) or not re.fullmatch(
            r"[\w.@:\\-]+\.(service|timer|socket|mount|path|target)", str(one.get("name"))
        ):
            raise ScriptError("each unit has a name that systemd knows")
        for line in str(one.get("contents", "")).splitlines():
            if line.startswith("ExecStart="):
                yield tuple(shlex.split(line.removeprefix("ExecStart=").lstrip("@-:+!")))
