"""Mutants of bootstrap scripts."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Mapping
from dataclasses import replace
from shlex import quote
from typing import Any, ClassVar

from nomos_contracts.compute.interface import BootstrapConfig, BootstrapFormat, BootstrapScript, ProviderError
from nomos_mutants.compute.original import Original, mutant
from nomos_reference.compute.bootstrap import generate


def script(content: str, form: BootstrapFormat = BootstrapFormat.SHELL) -> BootstrapScript:
    """Return a script whose checksum is right."""
    return BootstrapScript(content, form, hashlib.sha256(content.encode()).hexdigest())


class Written(Original):
    """Changes configuration and script."""

    def before(self, cfg: BootstrapConfig) -> BootstrapConfig:
        """Return the configuration that is used."""
        return cfg

    def after(self, content: str, cfg: BootstrapConfig) -> str:
        """Return the content that is handed over."""
        return content

    def generate_bootstrap(self, cfg: BootstrapConfig) -> BootstrapScript:
        """Change both."""
        made = super().generate_bootstrap(self.before(cfg))
        return script(self.after(made.content, cfg), made.format)


@mutant(
    "CMP-BOOT-001", defect="a configuration without a user's script is refused", also=("CMP-FLAG-103", "CMP-FLAG-109")
)
class WantsScript(Written):
    """Reads a field without looking whether it is there."""

    def generate_bootstrap(self, cfg: BootstrapConfig) -> BootstrapScript:
        """Refuse, but not inside spawn."""
        if cfg.init_script is None:
            raise ProviderError("init_script: must be there", "INVALID_SPEC", provider=self.name)
        return super().generate_bootstrap(cfg)

    def order(self, options: Any) -> Any:
        """Spawn nevertheless."""
        plain = replace(options.bootstrap, init_script=options.bootstrap.init_script or "true")
        return super().order(replace(options, bootstrap=plain))


class Hashed(Original):
    """Changes the checksum."""

    def checksum(self, content: str, right: str) -> str:
        """Return another one."""
        return right

    def generate_bootstrap(self, cfg: BootstrapConfig) -> BootstrapScript:
        """Change it."""
        made = super().generate_bootstrap(cfg)
        return replace(made, checksum=self.checksum(made.content, made.checksum))


@mutant("CMP-BOOT-002", defect="the checksum is in capitals")
class Capitals(Hashed):
    """Formats by %X."""

    def checksum(self, content: str, right: str) -> str:
        """Raise it."""
        return right.upper()


@mutant("CMP-BOOT-002", "empty", defect="the checksum is not empty, and that is all")
class SomeChecksum(Hashed):
    """Hashes the length."""

    def checksum(self, content: str, right: str) -> str:
        """Hash something else."""
        return hashlib.sha256(str(len(content)).encode()).hexdigest()


@mutant("CMP-BOOT-002", "stripped", defect="the checksum is that of the script without its last line end")
class Stripped(Hashed):
    """Hashes before it adds the last line end."""

    def checksum(self, content: str, right: str) -> str:
        """Strip."""
        return hashlib.sha256(content.rstrip("\n").encode()).hexdigest()


@mutant("CMP-BOOT-002", "latin", defect="the checksum of letters beyond ASCII is that of another encoding")
class Latin(Hashed):
    """Encodes by the locale."""

    def checksum(self, content: str, right: str) -> str:
        """Encode otherwise."""
        return hashlib.sha256(content.encode("utf-16" if not content.isascii() else "utf-8")).hexdigest()


@mutant("CMP-BOOT-003", defect="a quote in a user's script breaks the syntax")
class BrokenSyntax(Written):
    """Has a template that knows one quote only."""

    def after(self, content: str, cfg: BootstrapConfig) -> str:
        """Open a quote."""
        return content + "echo '\n" if cfg.init_script and "'it is'" in cfg.init_script else content


@mutant("CMP-BOOT-003", "heading", defect="the first line is no interpreter")
class NoHeading(Written):
    """Begins with an empty line."""

    def after(self, content: str, cfg: BootstrapConfig) -> str:
        """Put a line before it."""
        return "\n" + content


@mutant("CMP-BOOT-003", "cloud-init", defect="the user data has a key that cloud-init does not know")
class UnknownKey(Written):
    """Misspells runcmd."""

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        super().__init__({**(config or {}), "bootstrap": "cloud-init"})

    def after(self, content: str, cfg: BootstrapConfig) -> str:
        """Misspell it."""
        return content.replace("runcmd:", "run_cmd:")


@mutant("CMP-BOOT-003", "ignition", defect="the Ignition document has no version")
class NoVersion(Written):
    """Forgets the version."""

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        super().__init__({**(config or {}), "bootstrap": "ignition"})

    def after(self, content: str, cfg: BootstrapConfig) -> str:
        """Drop it."""
        return content.replace('"version": "3.3.0"', '"version": ""')


@mutant("CMP-BOOT-004", defect="each script has a number of its own")
class Numbered(Written):
    """Stamps scripts."""

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        self._numbers = itertools.count(1)
        super().__init__(config)

    def after(self, content: str, cfg: BootstrapConfig) -> str:
        """Add a number."""
        return f"{content}: {next(self._numbers)}\n"


@mutant("CMP-BOOT-004", "order", defect="variables stand in the order in which they were given")
class AsGiven(Written):
    """Does not sort."""

    def after(self, content: str, cfg: BootstrapConfig) -> str:
        """Tell the order."""
        return f"{content}: {' '.join(name for name in cfg.environment if name.isidentifier())}\n"


@mutant("CMP-BOOT-005", defect="the registration token is not in the script")
class NoToken(Written):
    """Forgets the token."""

    def before(self, cfg: BootstrapConfig) -> BootstrapConfig:
        """Drop it."""
        return replace(cfg, registration_token="")


@mutant("CMP-BOOT-005", "feature", defect="features are ignored")
class NoFeatures(Written):
    """Left for later."""

    def before(self, cfg: BootstrapConfig) -> BootstrapConfig:
        """Drop them."""
        return replace(cfg, features=())


class _Featured(Written):
    """Changes features."""

    changes: ClassVar[Mapping[str, Any]]

    def before(self, cfg: BootstrapConfig) -> BootstrapConfig:
        """Change those that have settings."""
        features = (replace(one, **self.changes) if one.config else one for one in cfg.features)
        return replace(cfg, features=tuple(features))


@mutant("CMP-BOOT-005", "version", defect="the version of a feature that has settings is left out")
class NoFeatureVersion(_Featured):
    """Has one branch for settings and one for versions."""

    changes: ClassVar[Mapping[str, Any]] = {"version": None}


@mutant("CMP-BOOT-005", "settings", defect="the settings of a feature are left out")
class NoFeatureSettings(_Featured):
    """Sets up what there is by default."""

    changes: ClassVar[Mapping[str, Any]] = {"config": None}


@mutant("CMP-BOOT-006", defect="variables lose blanks at their ends")
class TrimmedValues(Written):
    """Trims values."""

    def before(self, cfg: BootstrapConfig) -> BootstrapConfig:
        """Trim them."""
        return replace(cfg, environment={name: value.strip(" ") for name, value in cfg.environment.items()})


@mutant("CMP-BOOT-006", "empty", defect="empty variables are left out")
class NoEmptyValues(Written):
    """Tests values for truth."""

    def before(self, cfg: BootstrapConfig) -> BootstrapConfig:
        """Leave them out."""
        return replace(cfg, environment={name: value for name, value in cfg.environment.items() if value})


@mutant("CMP-BOOT-006", "twice", defect="the user's script runs twice", also=())
class RunsTwice(Written):
    """Runs it before and after the agent starts."""

    def after(self, content: str, cfg: BootstrapConfig) -> str:
        """Run it again."""
        return content.replace("sh ./init.sh\n", "sh ./init.sh\nsh ./init.sh\n")


@mutant("CMP-BOOT-006", "early", defect="the user's script runs before the agent is there")
class RunsEarly(Written):
    """Downloads the agent last."""

    def after(self, content: str, cfg: BootstrapConfig) -> str:
        """Move the download behind it."""
        fetching = f"curl -fsSL -o agent -- {quote(cfg.agent_url)}\nchmod 0700 agent\n"
        return content.replace(fetching, "", 1).replace("sh ./init.sh\n", f"sh ./init.sh\n{fetching}", 1)


@mutant("CMP-BOOT-006", "agent", defect="the agent runs without the variables")
class AgentWithout(Written):
    """Exports them to the user's script alone."""

    def after(self, content: str, cfg: BootstrapConfig) -> str:
        """Forget them before the agent starts."""
        names = sorted(name for name in cfg.environment if name.isidentifier())
        return content.replace("sh ./init.sh\n", f"sh ./init.sh\nunset nothing {' '.join(names)}\n", 1)


@mutant("CMP-BOOT-006", "executed", defect="what stands behind a semicolon in a value is taken for a command")
class ExecutesWords(Written):
    """Quotes values with blanks and quotes alone."""

    def after(self, content: str, cfg: BootstrapConfig) -> str:
        """Leave the quotes of the others out."""
        for name, value in cfg.environment.items():
            if re.fullmatch(r"[\w,;]+", value):
                content = content.replace(f"export {name}={quote(value)}\n", f"export {name}={value}\n")
        return content


def _exports(content: str, cfg: BootstrapConfig, form: str) -> str:
    """Return the script with its exports in another form."""
    for name, value in cfg.environment.items():
        content = content.replace(f"export {name}={quote(value)}\n", form.format(name=name, value=value))
    return content


@mutant("CMP-BOOT-007", defect="values of variables stand in double quotes", also=("CMP-BOOT-003",))
class DoubleQuotes(Written):
    """Writes values unquoted."""

    def after(self, content: str, cfg: BootstrapConfig) -> str:
        """Quote them by half."""
        return _exports(content, cfg, 'export {name}="{value}"\n')


@mutant(
    "CMP-BOOT-007",
    "escaped",
    defect="in double quotes backslash and quote are escaped, $ and backquotes are not",
    also=("CMP-BOOT-006", "CMP-BOOT-009"),
)
class HalfEscaped(Written):
    """Escapes as JSON does."""

    def after(self, content: str, cfg: BootstrapConfig) -> str:
        """Escape by half."""
        for name, value in cfg.environment.items():
            escaped = value.replace("\\", "\\\\").replace('"', '\\"')
            content = content.replace(f"export {name}={quote(value)}\n", f'export {name}="{escaped}"\n')
        return re.sub(r"(?<!\\)`", "\\`", content) if "touch" not in content else content


@mutant("CMP-BOOT-007", "heredoc", defect="variables stand in a heredoc that a value can close", also=("CMP-BOOT-006",))
class ClosableEnvironment(Written):
    """Writes a file of variables by a fixed heredoc, and reads it."""

    def after(self, content: str, cfg: BootstrapConfig) -> str:
        """Write it into a heredoc."""
        for name, value in cfg.environment.items():
            if "\n" in value:
                written = f"read -r {name} <<'EOF' || :\n{value}\nEOF\nexport {name}\n"
                content = content.replace(f"export {name}={quote(value)}\n", written)
        return content


@mutant("CMP-BOOT-008", defect="the agent's address stands in double quotes")
class AddressByHalf(Written):
    """Trusts addresses."""

    def after(self, content: str, cfg: BootstrapConfig) -> str:
        """Quote it by half."""
        return content.replace(f"-- {quote(cfg.agent_url)}\n", f'-- "{cfg.agent_url}"\n')


@mutant("CMP-BOOT-008", "token", defect="the token stands without quotes where it has no blank")
class TokenUnquoted(Written):
    """Knows what tokens look like."""

    def after(self, content: str, cfg: BootstrapConfig) -> str:
        """Leave the quotes out."""
        token = cfg.registration_token
        simple = "\n" not in token and "'" not in token and '"' not in token
        return content.replace(f"TOKEN={quote(token)}", f'TOKEN="{token}"') if simple else content


@mutant("CMP-BOOT-008", "feature", defect="the version of a feature is not quoted")
class VersionUnquoted(Written):
    """Trusts versions."""

    def after(self, content: str, cfg: BootstrapConfig) -> str:
        """Unquote them."""
        for feature in cfg.features:
            version = feature.version or "latest"
            content = content.replace(f"{quote(feature.name.value)} {quote(version)}\n", f'"{version}"\n')
        return content


@mutant("CMP-BOOT-009", defect="the user's script stands in a heredoc with a fixed end")
class ClosableScript(Written):
    """Writes it by `cat <<'INIT_SCRIPT_EOF'`."""

    def after(self, content: str, cfg: BootstrapConfig) -> str:
        """Write it so."""
        text = cfg.init_script or ""
        written = f"cat > init.sh <<'INIT_SCRIPT_EOF'\n{text}\nINIT_SCRIPT_EOF\n"
        return content.replace(f"printf '%s' {quote(text)} > init.sh\n", written)


@mutant("CMP-BOOT-009", "printf", defect="the user's script is the format of printf", also=("CMP-BOOT-006",))
class ScriptAsFormat(Written):
    """Leaves out the %s."""

    def after(self, content: str, cfg: BootstrapConfig) -> str:
        """Leave it out."""
        return content.replace("printf '%s' ", "printf ")


@mutant("CMP-BOOT-010", defect="names of variables are not looked at")
class AnyName(Original):
    """Writes any name."""

    def generate_bootstrap(self, cfg: BootstrapConfig) -> BootstrapScript:
        """Write names that the shell reads."""
        good = {name: value for name, value in cfg.environment.items() if re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII)}
        made = super().generate_bootstrap(replace(cfg, environment=good))
        bad = [name for name in cfg.environment if name not in good]
        lines = "".join(f"export {name}='x'\n" for name in bad)
        return script(
            made.content.replace("umask 077\n", f"umask 077\n{lines}".replace("set -eu", "set -u"), 1), made.format
        )


@mutant("CMP-BOOT-011", defect="the checksum of the user's script is ignored")
class NoCheck(Written):
    """Left for later."""

    def before(self, cfg: BootstrapConfig) -> BootstrapConfig:
        """Drop it."""
        return replace(cfg, init_checksum=None)


@mutant("CMP-BOOT-011", "refused", defect="a checksum in lowercase hex is never right")
class WantsCapitals(Written):
    """Compares with capitals."""

    def generate_bootstrap(self, cfg: BootstrapConfig) -> BootstrapScript:
        """Leave the script out where a checksum is given."""
        if cfg.init_checksum is not None and cfg.init_checksum != cfg.init_checksum.upper():
            return generate(replace(cfg, init_script=None, init_checksum=None), BootstrapFormat.SHELL)
        return super().generate_bootstrap(cfg)
