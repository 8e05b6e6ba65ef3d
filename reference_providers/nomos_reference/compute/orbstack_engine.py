"""Which engine is used, and the client that reaches it. An engine is asked and never started or changed."""

from __future__ import annotations

import hashlib
import json
import os
import pwd
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from nomos_contracts.compute.interface import ProviderError
from nomos_reference.compute.orbstack_faults import from_engine, mapped
from nomos_reference.compute.orbstack_settings import NAME

PING_SECONDS: Final = 3.0
"""How long a socket that nobody named may take to answer."""

MISSING_SDK: Final = 'the docker SDK is not installed: python -m pip install "pytest-nomos[docker]"'


@dataclass(frozen=True)
class Place:
    """Where an engine may be.

    Attributes:
        url: its address.
        found_by: who named it: the option, a variable, a context, or the list of known sockets.
        tls: folder with `ca.pem`, `cert.pem` and `key.pem`, None where it speaks without TLS.
    """

    url: str
    found_by: str
    tls: Path | None = None


@dataclass(frozen=True)
class EngineFacts:
    """Which engine it is.

    Attributes:
        url: its address.
        found_by: who named it.
        product: for instance ``OrbStack`` or ``Docker Engine``.
        version: its version.
        storage: its storage driver.
        cpus: processors of the machine below it.
        memory: memory of that machine in bytes.
    """

    url: str
    found_by: str
    product: str
    version: str
    storage: str
    cpus: int
    memory: int

    @property
    def words(self) -> str:
        """One line for a person."""
        return f"{self.product} {self.version} ({self.storage}) at {self.url}, found by {self.found_by}"


def home(environment: Mapping[str, str]) -> Path:
    """Return the user's own folder; a provider may have been given another HOME to work in."""
    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        return Path(environment.get("HOME", "/"))


def sockets(environment: Mapping[str, str], folder: Path) -> Iterator[Place]:
    """Yield the sockets at which engines are known to listen."""
    runtime = environment.get("XDG_RUNTIME_DIR", f"/run/user/{os.getuid()}")
    for path in (
        folder / ".orbstack/run/docker.sock",
        folder / ".docker/run/docker.sock",
        folder / ".colima/default/docker.sock",
        Path("/var/run/docker.sock"),
        Path(runtime) / "podman/podman.sock",
    ):
        yield Place(f"unix://{path}", f"its known socket {path}")


def context_place(environment: Mapping[str, str], folder: Path) -> Place | None:
    """Return the engine of the chosen docker context, None where the default one is chosen.

    Raises:
        ProviderError: INVALID_SPEC; the context is not there, or cannot be read.
    """
    settings = Path(environment.get("DOCKER_CONFIG") or folder / ".docker")
    name = environment.get("DOCKER_CONTEXT")
    try:
        name = name or json.loads((settings / "config.json").read_text(encoding="utf-8")).get("currentContext")
    except (OSError, ValueError, AttributeError):
        name = None
    if not name or name == "default":
        return None
    digest = hashlib.sha256(name.encode()).hexdigest()
    try:
        meta = json.loads((settings / "contexts/meta" / digest / "meta.json").read_text(encoding="utf-8"))
        url = str(meta["Endpoints"]["docker"]["Host"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ProviderError(
            f"the docker context {name} cannot be read: {type(error).__name__}", "INVALID_SPEC", provider=NAME
        ) from error
    tls = settings / "contexts/tls" / digest / "docker"
    return Place(url, f"the docker context {name}", tls if tls.is_dir() else None)


def named_place(option: str | None, environment: Mapping[str, str], folder: Path) -> Place | None:
    """Return the engine that somebody named: the option, DOCKER_HOST, then the context; None where nobody did."""
    if option:
        return Place(option, "the option engine")
    if url := environment.get("DOCKER_HOST"):
        tls = environment.get("DOCKER_CERT_PATH") if environment.get("DOCKER_TLS_VERIFY") else None
        return Place(url, "DOCKER_HOST", Path(tls) if tls else None)
    return context_place(environment, folder)


def client_at(place: Place, seconds: float) -> Any:
    """Return a client of the docker SDK for *place*; nothing says yet that anybody answers there.

    Raises:
        ProviderError: INVALID_STATE, the SDK is not installed; else what the way to the engine gives.
    """
    try:
        docker: Any = import_module("docker")
    except ModuleNotFoundError as error:
        raise missing_sdk() from error
    with mapped(f"no engine answers at {place.url} ({place.found_by})"):
        if place.url.startswith("unix://"):
            # The SDK leaves a socket open where nobody listens.
            with socket.socket(socket.AF_UNIX) as probe:
                probe.settimeout(seconds)
                probe.connect(place.url.removeprefix("unix://"))
        tls = place.tls and docker.tls.TLSConfig(
            client_cert=(str(place.tls / "cert.pem"), str(place.tls / "key.pem")),
            ca_cert=str(place.tls / "ca.pem"),
            verify=True,
        )
        # The version is asked for at once, so that this call fails where nobody answers.
        return docker.APIClient(
            base_url=place.url,
            version="auto",
            timeout=seconds,
            tls=tls or False,
            use_ssh_client=place.url.startswith("ssh://"),
        )


def missing_sdk() -> ProviderError:
    """Return the error that names the extra which brings the SDK."""
    return ProviderError(MISSING_SDK, "INVALID_STATE", provider=NAME, details={"extra": "docker"})


def connect(
    option: str | None,
    seconds: float,
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> tuple[Any, EngineFacts]:
    """Find an engine and return a client for it, and which one it is.

    An engine that somebody named is used or refused: there is no falling back on another one.

    Args:
        option: URL of the engine, None to look for one.
        seconds: how long it may take for one answer.
        environment: variables; None for those of this process.
        folder: the user's own folder; None for what the system says.

    Raises:
        ProviderError: none answers (NETWORK_ERROR), or as `client_at`.
    """
    variables = os.environ if environment is None else environment
    own = home(variables) if folder is None else folder
    named = named_place(option, variables, own)
    if named is not None:
        client = client_at(named, seconds)
        return client, facts_of(client, named)
    tried: list[str] = []
    for place in sockets(variables, own):
        tried.append(place.url)
        if not Path(place.url.removeprefix("unix://")).exists():
            continue
        try:
            client = client_at(place, min(seconds, PING_SECONDS))
            facts = facts_of(client, place)
        except ProviderError as error:
            if error.code == "INVALID_STATE":
                raise
            continue
        client.timeout = seconds
        return client, facts
    raise ProviderError(
        f"there is no Docker engine: DOCKER_HOST and the docker context name none, and nobody answers at "
        f"{', '.join(tried)}",
        "NETWORK_ERROR",
        provider=NAME,
    )


def facts_of(client: Any, place: Place) -> EngineFacts:
    """Ask an engine what it is.

    Raises:
        ProviderError: it does not answer.
    """
    try:
        told: Mapping[str, Any] = client.info()
    except Exception as error:  # as in `mapped`; the client of an engine that is none must not stay open
        client.close()
        raise from_engine(error, f"no engine answers at {place.url} ({place.found_by})") from error
    system = str(told.get("OperatingSystem", ""))
    known = next((name for name in ("OrbStack", "Docker Desktop") if name in system), "")
    return EngineFacts(
        url=place.url,
        found_by=place.found_by,
        product=known or ("Podman" if "podman" in json.dumps(told.get("Labels") or []) else "Docker Engine"),
        version=str(told.get("ServerVersion", "")),
        storage=str(told.get("Driver", "")),
        cpus=int(told.get("NCPU") or 0),
        memory=int(told.get("MemTotal") or 0),
    )
