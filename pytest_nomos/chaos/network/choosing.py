"""Which proxies a run uses: embedded ones, or those of a Toxiproxy that somebody named."""

from __future__ import annotations

from pytest_nomos.chaos.network.proxy import Proxies


def open_proxies(named: str, seed: int) -> Proxies:
    """Return proxies.

    Args:
        named: address of a running Toxiproxy (``host:port``), or the path or name of its program, which is then
            started for this run; empty for embedded ones.
        seed: of what embedded proxies roll.

    Raises:
        ProxyError: what was named cannot be used.
    """
    if not named:
        from pytest_nomos.chaos.network.embedded import EmbeddedProxies

        return EmbeddedProxies(seed)
    from pytest_nomos.chaos.network.toxiproxy import ToxiproxyProxies

    return ToxiproxyProxies(named)
