"""Bootstrap scripts: one shell script, given as it is or inside cloud-init or Ignition.

Nothing that is configured is ever written where a shell would read it: every value stands in single quotes, the user's
script too, so that there is no heredoc to close.
"""

from __future__ import annotations

import hashlib
import json
import re
from base64 import b64encode
from collections.abc import Iterator
from shlex import quote

import yaml

from nomos_contracts.compute.interface import (
    BootstrapConfig,
    BootstrapFormat,
    BootstrapScript,
    FeatureName,
    ProviderError,
)

SCRIPT = "/opt/nomos/bootstrap.sh"
"""Where cloud-init and Ignition put the script."""

INSTALL = {
    FeatureName.TAILSCALE: "curl -fsSL https://tailscale.com/install.sh -o tailscale.sh && sh tailscale.sh",
    FeatureName.NVIDIA_DRIVER: "apt-get install -y nvidia-driver",
    FeatureName.CUDA: "apt-get install -y cuda-toolkit",
    FeatureName.DOCKER: "apt-get install -y docker.io",
}


def generate(
    cfg: BootstrapConfig, form: BootstrapFormat, *, native: frozenset[FeatureName] = frozenset(), provider: str = ""
) -> BootstrapScript:
    """Return the bootstrap script of *cfg*.

    Args:
        cfg: what the instance needs.
        form: which program will read it.
        native: features that the provider sets up by other means.
        provider: for errors.

    Raises:
        ProviderError: INVALID_SPEC; a name is none, a value has a NUL, or the checksum of the user's script is wrong.
    """
    _validate(cfg, provider)
    script = "\n".join(_lines(cfg, native)) + "\n"
    content = {
        BootstrapFormat.SHELL: lambda: script,
        BootstrapFormat.CLOUD_INIT: lambda: _cloud_init(script),
        BootstrapFormat.IGNITION: lambda: _ignition(script),
    }[form]()
    return BootstrapScript(content, form, hashlib.sha256(content.encode()).hexdigest())


def _validate(cfg: BootstrapConfig, provider: str) -> None:
    def refuse(reason: str) -> ProviderError:
        return ProviderError(reason, "INVALID_SPEC", provider=provider)

    for name in cfg.environment:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise refuse("environment: a name holds what no variable's name can hold")
    texts = (cfg.agent_url, cfg.control_plane_url, cfg.registration_token, cfg.init_script or "")
    if any("\0" in text for text in (*texts, *cfg.environment.values())):
        raise refuse("a value holds a NUL character, which no variable can hold")
    if cfg.init_script is not None and cfg.init_checksum is not None:
        actual = hashlib.sha256(cfg.init_script.encode()).hexdigest()
        if actual != cfg.init_checksum:
            raise refuse("init_checksum: is not that of init_script")


def _lines(cfg: BootstrapConfig, native: frozenset[FeatureName]) -> Iterator[str]:
    yield "#!/bin/sh"
    yield "set -eu"
    yield "umask 077"
    for name in sorted(cfg.environment):
        yield f"export {name}={quote(cfg.environment[name])}"
    yield 'cd "$(mktemp -d)"'
    for feature in cfg.features:
        if feature.name not in native:
            yield f": feature {quote(feature.name.value)} {quote(feature.version or 'latest')}"
            for key, value in sorted((feature.config or {}).items()):
                yield f": with {quote(key)} {quote(value)}"
            yield INSTALL[feature.name]
    yield f"curl -fsSL -o agent -- {quote(cfg.agent_url)}"
    yield "chmod 0700 agent"
    if cfg.init_script is not None:
        yield f"printf '%s' {quote(cfg.init_script)} > init.sh"
        yield "sh ./init.sh"
    yield f"NOMOS_CONTROL_PLANE={quote(cfg.control_plane_url)} \\"
    yield f"NOMOS_REGISTRATION_TOKEN={quote(cfg.registration_token)} \\"
    yield "./agent"


def _cloud_init(script: str) -> str:
    file = {"path": SCRIPT, "permissions": "0700", "encoding": "b64", "content": b64encode(script.encode()).decode()}
    return "#cloud-config\n" + yaml.safe_dump({"write_files": [file], "runcmd": [["sh", SCRIPT]]}, sort_keys=True)


def _ignition(script: str) -> str:
    source = "data:;base64," + b64encode(script.encode()).decode()
    unit = f"[Unit]\nAfter=network-online.target\n[Service]\nType=oneshot\nExecStart=/bin/sh {SCRIPT}\n"
    document = {
        "ignition": {"version": "3.3.0"},
        "storage": {"files": [{"path": SCRIPT, "mode": 0o700, "contents": {"source": source}}]},
        "systemd": {
            "units": [
                {
                    "name": "nomos-bootstrap.service",
                    "enabled": True,
                    "contents": unit + "[Install]\nWantedBy=multi-user.target\n",
                }
            ]
        },
    }
    return json.dumps(document, indent=2, sort_keys=True) + "\n"
