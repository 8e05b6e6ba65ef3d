"""Make docs/images/page-light.png and page-dark.png: the page of a report as a real browser shows it.

Usage: ``python tools/page_picture.py FOLDER [FRAGMENT]``; FOLDER is that of a report, FRAGMENT what is filtered and
open, for instance ``outcome=failed``. It wants what the tests of the page want: Debian's chromium and chromium-driver.
"""

from __future__ import annotations

import base64
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
WIDTH, HEIGHT = 1200, 1250


def main(arguments: list[str]) -> int:
    """Write both pictures; return the exit code."""
    sys.path.insert(0, str(ROOT / "tests"))
    from chaos.page.browser import browser
    from components import COMPONENTS

    page = Path(arguments[0]).resolve() / "index.html" if arguments else Path()
    driver = COMPONENTS["chromium"].find()
    if not page.is_file() or driver is None:
        print(__doc__ if driver else COMPONENTS["chromium"].reason, file=sys.stderr)
        return 2
    fragment = f"#{arguments[1]}" if len(arguments) > 1 else ""
    with browser(driver) as tab:
        for theme in ("light", "dark"):
            tab.open(f"{page.resolve().as_uri()}{fragment}", width=WIDTH, height=HEIGHT, theme=theme)
            tab.until("return [...document.querySelectorAll('.frame')].every(e => e.querySelector('svg'))")
            tab.run("document.documentElement.style.overflow = 'hidden'")
            taken = tab.driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})
            (IMAGES / f"page-{theme}.png").write_bytes(base64.b64decode(taken["data"]))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
