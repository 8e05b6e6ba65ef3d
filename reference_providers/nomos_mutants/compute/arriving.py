"""Mutants of bootstrap scripts that change little: some letters, some names, some line ends."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import replace
from shlex import quote
from typing import Any, ClassVar

from nomos_contracts.compute.clouds import read_cloud_init
from nomos_contracts.compute.ignition import read_ignition
from nomos_contracts.compute.interface import BootstrapConfig, BootstrapFormat, BootstrapScript, FeatureName
from nomos_mutants.compute.original import mutant
from nomos_mutants.compute.scripting import Hashed, Written, script
from nomos_reference.compute.bootstrap import SCRIPT


def _sum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@mutant("CMP-BOOT-002", "normalised", defect="the checksum is that of the composed letters")
class Composed(Hashed):
    """Normalises before it hashes."""

    def checksum(self, content: str, right: str) -> str:
        """Compose."""
        return _sum(unicodedata.normalize("NFC", content))


@mutant("CMP-BOOT-002", "lines", defect="the checksum is that of the script with line ends of one kind")
class OneLineEnd(Hashed):
    """Hashes what a text file would hold."""

    def checksum(self, content: str, right: str) -> str:
        """Replace them."""
        return _sum(content.replace("\r\n", "\n").replace("\r", "\n"))


class _Formed(Written):
    """Gives scripts of another format."""

    form: ClassVar = BootstrapFormat.SHELL

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        super().__init__({**(config or {}), "bootstrap": self.form.value})


@mutant(
    "CMP-BOOT-003",
    "halves",
    defect="a cloud-config is JSON with escapes, which YAML reads as halves of characters",
    also=("CMP-BOOT-009",),
)
class EscapedJson(_Formed):
    """Takes any JSON for YAML."""

    form = BootstrapFormat.CLOUD_INIT

    def after(self, content: str, cfg: BootstrapConfig) -> str:
        """Write it as JSON."""
        plain = read_cloud_init(content).files[SCRIPT].decode()
        files = [{"path": SCRIPT, "permissions": "0700", "content": plain}]
        return "#cloud-config\n" + json.dumps({"write_files": files, "runcmd": [["sh", SCRIPT]]}) + "\n"


@mutant("CMP-BOOT-003", "percent", defect="a data URL is not percent-encoded")
class RawUrl(_Formed):
    """Encodes blanks and line ends alone."""

    form = BootstrapFormat.IGNITION

    def after(self, content: str, cfg: BootstrapConfig) -> str:
        """Write the script into the URL."""
        plain = read_ignition(content).files[SCRIPT].decode().replace(" ", "%20").replace("\n", "%0A")
        document = json.loads(content)
        document["storage"]["files"][0]["contents"]["source"] = f"data:,{plain}"
        return json.dumps(document)


@mutant("CMP-BOOT-006", "disabled", defect="the unit of Ignition is not enabled", also=("CMP-BOOT-009", "CMP-BOOT-011"))
class Disabled(_Formed):
    """Writes the unit and leaves it."""

    form = BootstrapFormat.IGNITION

    def after(self, content: str, cfg: BootstrapConfig) -> str:
        """Leave it."""
        return content.replace('"enabled": true,', "")


@mutant("CMP-BOOT-004", "settings", defect="settings of a feature stand in the order in which they were given")
class SettingsAsGiven(Written):
    """Does not sort them."""

    def after(self, content: str, cfg: BootstrapConfig) -> str:
        """Tell the order."""
        return content + "".join(f": {' '.join(map(quote, one.config or ()))}\n" for one in cfg.features)


class _Valued(Written):
    """Changes variables."""

    def variable(self, name: str, value: str) -> str | None:
        """Return the value that is used, or None."""
        return value

    def before(self, cfg: BootstrapConfig) -> BootstrapConfig:
        """Change them."""
        changed = {name: self.variable(name, value) for name, value in cfg.environment.items()}
        return replace(cfg, environment={name: value for name, value in changed.items() if value is not None})


@mutant("CMP-BOOT-006", "normalised", defect="letters of values are composed")
class ComposedValues(_Valued):
    """Normalises values."""

    def variable(self, name: str, value: str) -> str | None:
        """Compose."""
        return unicodedata.normalize("NFC", value)


@mutant("CMP-BOOT-006", "long", defect="values of more than 2000 signs are left out")
class NoLongValues(_Valued):
    """Has a buffer."""

    def variable(self, name: str, value: str) -> str | None:
        """Leave them out."""
        return value if len(value) <= 2000 else None


@mutant("CMP-BOOT-006", "objects", defect="variables whose names each object has are left out")
class Inherited(_Valued):
    """Keeps variables in an object of JavaScript."""

    def variable(self, name: str, value: str) -> str | None:
        """Look whether the name is there."""
        return None if name in ("constructor", "toString", "__proto__") else value


@mutant("CMP-BOOT-006", "own", defect="a variable of the script's own hides that of the user")
class OwnVariable(Written):
    """Keeps the folder in a variable."""

    def after(self, content: str, cfg: BootstrapConfig) -> str:
        """Use it."""
        return content.replace('cd "$(mktemp -d)"\n', 'folder="$(mktemp -d)"\ncd "$folder"\n')


@mutant("CMP-BOOT-006", "reserved", defect="a variable that bash does not let be set ends the script")
class ReadOnly(Written):
    """Is a script of bash that exports all variables."""

    def after(self, content: str, cfg: BootstrapConfig) -> str:
        """Name bash."""
        return content.replace("#!/bin/sh\n", "#!/bin/bash\n", 1)


@mutant("CMP-BOOT-006", "retried", defect="a user's script that fails runs again")
class Retried(Written):
    """Tries again."""

    def after(self, content: str, cfg: BootstrapConfig) -> str:
        """Run it again."""
        return content.replace("sh ./init.sh\n", "sh ./init.sh || sh ./init.sh\n")


@mutant("CMP-BOOT-008", "key", defect="keys of a feature's settings are not quoted")
class KeysUnquoted(Written):
    """Trusts keys."""

    def after(self, content: str, cfg: BootstrapConfig) -> str:
        """Unquote them."""
        for feature in cfg.features:
            for key in feature.config or {}:
                content = content.replace(f": with {quote(key)} ", f': with "{key}" ')
        return content


@mutant("CMP-BOOT-008", "tailscale", defect="the version of one feature stands in double quotes")
class OneVersion(Written):
    """Quotes the version of docker alone."""

    def after(self, content: str, cfg: BootstrapConfig) -> str:
        """Forget another one."""
        versions = [one.version for one in cfg.features if one.name is FeatureName.CUDA and one.version]
        return content + "".join(f'echo "{version}"\n' for version in versions)


@mutant("CMP-BOOT-008", "filtered", defect="the beginnings of substitutions are taken out of an address once")
class Filtered(Written):
    """Cleans an address for a line of a log."""

    def after(self, content: str, cfg: BootstrapConfig) -> str:
        """Take out what is dangerous."""
        cleaned = re.sub(r'([\\"])', r"\\\1", cfg.control_plane_url).replace("$(", "").replace("`", "")
        return f'{content}logger "joined {cleaned}"\n'


class _Rewritten(Written):
    """Changes the user's script, and its checksum with it."""

    def text(self, content: str) -> str:
        """Return the script that is handed over."""
        return content

    def before(self, cfg: BootstrapConfig) -> BootstrapConfig:
        """Change it."""
        if cfg.init_script is None or cfg.init_checksum not in (None, _sum(cfg.init_script)):
            return cfg
        changed = self.text(cfg.init_script)
        return replace(cfg, init_script=changed, init_checksum=cfg.init_checksum and _sum(changed))


@mutant("CMP-BOOT-009", "crlf", defect="line ends of the user's script are made those of Unix")
class UnixLines(_Rewritten):
    """Means well."""

    def text(self, content: str) -> str:
        """Replace them."""
        return content.replace("\r\n", "\n")


@mutant("CMP-BOOT-009", "lines", defect="whatever some take for a line end becomes one")
class AnyLines(_Rewritten):
    """Splits into lines by what Unicode says."""

    def text(self, content: str) -> str:
        """Split and join."""
        return "\n".join(content.splitlines()) + ("\n" if content.endswith("\n") else "")


@mutant("CMP-BOOT-009", "trimmed", defect="the user's script loses blanks and lines at its end")
class Trimmed(_Rewritten):
    """Trims."""

    def text(self, content: str) -> str:
        """Trim it."""
        return content.rstrip()


@mutant("CMP-BOOT-009", "template", defect="two dollars in the user's script become one")
class Template(_Rewritten):
    """Puts it into a template that knows an escape."""

    def text(self, content: str) -> str:
        """Read the escape."""
        return content.replace("$$", "$")


@mutant("CMP-BOOT-009", "escapes", defect="control characters are taken out of the user's script")
class NoControls(_Rewritten):
    """Makes it fit to be shown."""

    def text(self, content: str) -> str:
        """Take them out."""
        return re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", "", content)


@mutant("CMP-BOOT-009", "cut", defect="the user's script is cut at 64 KiB")
class Cut(_Rewritten):
    """Has a column of 64 KiB."""

    def text(self, content: str) -> str:
        """Cut it."""
        return content.encode()[:65536].decode(errors="ignore")


@mutant("CMP-BOOT-009", "argument", defect="the user's script is one argument of a shell, which takes 128 KiB")
class AsArgument(Written):
    """Runs it by `sh -c`."""

    def after(self, content: str, cfg: BootstrapConfig) -> str:
        """Run it so."""
        return content.replace("sh ./init.sh\n", 'sh -c "$(cat ./init.sh)"\n')


class _Named(Written):
    """Gives the user's script variables whose names it takes for names."""

    pattern: ClassVar = ""

    def generate_bootstrap(self, cfg: BootstrapConfig) -> BootstrapScript:
        """Give them by `env`."""
        bad = {
            name: value
            for name, value in cfg.environment.items()
            if re.match(self.pattern, name) and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name)
        }
        good = {name: value for name, value in cfg.environment.items() if name not in bad}
        made = super().generate_bootstrap(replace(cfg, environment=good))
        words = " ".join(quote(f"{name}={value}") for name, value in bad.items())
        return script(made.content.replace("sh ./init.sh\n", f"env {words} sh ./init.sh\n"), made.format)


@mutant("CMP-BOOT-010", "end", defect="a name may end in a line end")
class EndsInLine(_Named):
    """Means the end by $."""

    pattern = r"^[A-Za-z_][A-Za-z0-9_]*$"


@mutant("CMP-BOOT-010", "letters", defect="a name may have letters of any script")
class AnyLetters(_Named):
    """Means letters as Unicode does."""

    pattern = r"^[^\W\d]\w*\Z"


@mutant("CMP-BOOT-010", "signs", defect="a name may have hyphens and full stops")
class Hyphens(_Named):
    """Knows what keys look like."""

    pattern = r"^[A-Za-z_][A-Za-z0-9_.-]*\Z"


@mutant("CMP-BOOT-010", "empty", defect="a name may be empty")
class NoName(_Named):
    """Repeats by an asterisk."""

    pattern = r"^\Z"


class _Compared(Written):
    """Compares checksums otherwise."""

    def same(self, given: str, text: str) -> bool:
        """Whether *given* counts as the checksum of *text*."""
        return given == _sum(text)

    def before(self, cfg: BootstrapConfig) -> BootstrapConfig:
        """Compare, and then the checksum is right."""
        passes = cfg.init_checksum is not None and self.same(cfg.init_checksum, cfg.init_script or "")
        return replace(cfg, init_checksum=None) if passes else cfg


@mutant("CMP-BOOT-011", "empty", defect="an empty checksum counts as none")
class EmptyIsNone(_Compared):
    """Tests it for truth."""

    def same(self, given: str, text: str) -> bool:
        """Test it."""
        return not given


@mutant("CMP-BOOT-011", "beginning", defect="the beginning of a checksum will do")
class Beginning(_Compared):
    """Compares as many digits as there are."""

    def same(self, given: str, text: str) -> bool:
        """Compare them."""
        return bool(given) and _sum(text).startswith(given)


@mutant("CMP-BOOT-011", "stripped", defect="the checksum may be that of the script without blanks at its ends")
class StrippedSum(_Compared):
    """Strips before it hashes."""

    def same(self, given: str, text: str) -> bool:
        """Strip."""
        return given in (_sum(text), _sum(text.strip()))


@mutant("CMP-BOOT-011", "normalised", defect="the checksum may be that of the composed letters")
class ComposedSum(_Compared):
    """Normalises before it hashes."""

    def same(self, given: str, text: str) -> bool:
        """Compose."""
        return given in (_sum(text), _sum(unicodedata.normalize("NFC", text)))
