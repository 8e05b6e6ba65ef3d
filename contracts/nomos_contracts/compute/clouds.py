"""User data as cloud-init reads it."""

from __future__ import annotations

import re
import shlex
from base64 import b64decode
from collections.abc import Iterator, Mapping
from typing import Any, Final

import yaml

from nomos_contracts.compute.plans import PLAIN_MODE, Plan, ScriptError, absolute, unzipped, utf8
from nomos_contracts.compute.shells import check_shell, read_shell
from nomos_contracts.violation import Blocked
from nomos_proto.kinds import is_map, is_sequence

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
MERGED: Final = 10_000
"""Keys that `<<` may bring into all maps together: a short text of merged maps makes more than a machine can hold."""


class _Loader(yaml.SafeLoader):
    """The loader of cloud-init, with a bound on what merging makes."""

    _merged = 0

    def flatten_mapping(self, node: Any) -> None:
        """Merge, one level at a time."""
        own = sum(key.tag != "tag:yaml.org,2002:merge" for key, _ in node.value)
        super().flatten_mapping(node)
        self._merged += len(node.value) - own
        if self._merged > MERGED:
            raise yaml.YAMLError("its merged maps are too large")


def read_cloud_init(content: str) -> Plan:
    """Return what cloud-init does.

    Raises:
        ScriptError: it would refuse the user data.
        Blocked: it is of a kind that is not read here.
    """
    if content.startswith("#!"):
        return read_shell(content)
    other = next((one for one in OTHER_USER_DATA if content.startswith(one)), None)
    if other:
        raise Blocked("environment", f"user data that begins with {other!r} is right, and cannot be read here")
    if content.split("\n", 1)[0].rstrip() != "#cloud-config":
        raise ScriptError("user data begins with the line #cloud-config, or is a shell script")
    document = _document(content)
    unknown = sorted(str(key) for key in document if key not in CLOUD_KEYS)
    if unknown:
        raise ScriptError(f"cloud-init knows no key {unknown[0]!r}")
    written = list(_written(document.get("write_files", [])))
    commands = [*_commands(document, "bootcmd"), *_commands(document, "runcmd")]
    packages = document.get("packages", [])
    if not is_sequence(packages):
        raise ScriptError("packages is a list")
    files = {path: data for path, data, _ in written}
    return Plan(files, tuple(commands), {path: mode for path, _, mode in written if mode != PLAIN_MODE})


def _document(content: str) -> Mapping[str, Any]:
    try:
        document = yaml.load(content, _Loader)  # noqa: S506 # a safe loader
    # Scalars that look like a date or a number and are none end in errors of all kinds, cloud-init's too.
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, TypeError) as error:
        raise ScriptError(f"it is no YAML: {error}") from error
    except RecursionError as error:
        raise ScriptError("it is no YAML that can be read: it is nested too deeply") from error
    if not is_map(document):
        raise ScriptError("a cloud-config is a map")
    return document


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
        # cloud-init writes UTF-8, and YAML's \ud83d\ude00 is two halves to it: it ends there with a UnicodeEncodeError.
        utf8("\n".join(lines), key)
        check_shell("\n".join(lines) + "\n")
        yield ("sh", "-c", "\n".join(lines))


def _written(found: Any) -> Iterator[tuple[str, bytes, int]]:
    """Yield path, content and mode of each file."""
    if not is_sequence(found):
        raise ScriptError("write_files is a list")
    for one in found:
        path = absolute(one.get("path") if is_map(one) else None, "write_files")
        if set(one) - {"path", "content", "encoding", "permissions", "owner", "append", "defer", "source"}:
            raise ScriptError(f"write_files of {path} has a key that cloud-init does not know")
        mode = one.get("permissions", "0644")
        if not isinstance(mode, str) or not re.fullmatch(r"0?[0-7]{3,4}", mode):
            raise ScriptError(f"permissions of {path} are octal digits in quotes")
        yield path, _decoded(one), int(mode, 8)


def _decoded(one: Mapping[str, Any]) -> bytes:
    encoding = str(one.get("encoding", "text/plain"))
    content = one.get("content", "")
    what = f"the content of {one['path']}"
    if encoding not in ENCODINGS or not isinstance(content, str | bytes):
        raise ScriptError(f"{what} is in no encoding that cloud-init knows")
    data = utf8(content, what) if isinstance(content, str) else content
    if "b64" in encoding or "base64" in encoding:
        try:
            data = b64decode(data, validate=False)
        except ValueError as error:
            raise ScriptError(f"{what} is not {encoding}: {error}") from error
    return unzipped(data, what) if encoding.startswith("gz") else data
