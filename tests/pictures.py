"""`python -m tests.pictures`: make the pictures of README again, the demonstration and the page.

The numbers in them are measured while they are made; their sizes are the same each time.
"""

import argparse
import base64
import io
import re
import tempfile
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from rich.console import Console

from reconciler.cli.playground import Demonstration
from reconciler.demo import play
from reconciler.sandbox.dates import system_clock
from tests.daemon import SECRET, daemon, environment, free_port
from tests.support_browser import Browser, chromium
from tests.test_admin import admin_url
from tests.world import World, world

DOCS = Path(__file__).parent.parent / "reconciler" / "docs"
ROOMS = {
    "Legal": ("Contract.docx", "Non-disclosure agreement.docx", "Annex B.docx"),
    "Sales": ("Offer 1204.docx", "Forecast Q3.xlsx", "Pitch.pptx"),
    "Human resources": ("Job description.docx", "Salary bands.xlsx"),
}
HOURS_AGO = (92, 70, 51, 47, 26, 20, 5, 1)  # when each file is saved
WIDTH, HEIGHT = 1100, 900  # of the page, at most


def draw_demo(path: Path) -> None:
    """Draw what `reconciler demo` prints on a terminal."""
    console = Console(
        record=True,
        width=80,
        highlight=False,
        file=io.StringIO(),
        force_terminal=True,
        force_interactive=False,
        color_system="truecolor",
        legacy_windows=False,
    )
    if not Demonstration(console).show(play()):
        raise SystemExit(console.export_text())
    svg = console.export_svg(title="reconciler demo", unique_id="demo")
    fonts = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)  # they would be fetched from elsewhere
    path.write_text(fonts.sub("", svg), encoding="utf-8")


def draw_page(path: Path, view: str = "") -> None:
    """Photograph a view of the page of a daemon some days after its start."""
    with tempfile.TemporaryDirectory() as name, world(Path(name) / "ledger.db") as here:
        folder, port = Path(name), free_port()
        files = live(here)
        here.portal.webhooks.clear()
        address = f"http://127.0.0.1:{port}/docspace/review-comment"
        here.portal.add_webhook(by=here.ann, url=address, secret=SECRET)
        environ = environment(here.server.url, here.key, folder, port)
        with daemon(environ, folder), chromium(folder / "browser") as browser:
            here.portal.save(files[0], by=here.bob)
            await_mark(here, files[0])
            photograph(browser, admin_url(folder).rstrip("/") + f"/{view}", path)


def live(here: World) -> list[int]:
    """Let people save files for some days, and approve a few; return the files."""
    now = datetime.now(UTC)
    here.clock.now = now - timedelta(days=5)
    files = []
    for title, names in ROOMS.items():
        room = int(here.portal.add_room(title, owner=here.ann))
        here.portal.invite(room, here.bot, access=9)
        here.portal.invite(room, here.bob, access=11)
        files += [int(here.portal.create(room, name, by=here.ann)) for name in names]
    here.sweep()
    for number, (file, hours) in enumerate(zip(files, HOURS_AGO, strict=True)):
        here.clock.now = now - timedelta(hours=hours)
        here.portal.save(file, by=here.bob if number % 2 else here.ann)
        here.settle(0.5)
        if number % 3 == 1:
            here.clock.advance(1800)
            here.portal.comment(file, "Approved", by=here.ann)
            here.settle()
    here.portal.clock = system_clock
    return files


def await_mark(here: World, file: int) -> None:
    """Wait until a file is marked, and the page knows it."""
    for _ in range(200):
        threading.Event().wait(0.05)
        if here.comment(file) == "Need Review":
            break
    threading.Event().wait(1.0)


def photograph(browser: Browser, url: str, path: Path) -> None:
    """Photograph a page from its top."""
    browser.open(url, WIDTH)
    height = min(int(browser.run("return document.documentElement.scrollHeight")), HEIGHT)
    clip = {"x": 0, "y": 0, "width": WIDTH, "height": height, "scale": 1}
    shot = browser.driver.execute_cdp_cmd(
        "Page.captureScreenshot", {"format": "png", "clip": clip, "captureBeyondViewport": True}
    )
    path.write_bytes(base64.b64decode(shot["data"]))


PICTURES: dict[str, Callable[[Path], None]] = {
    "demo.svg": draw_demo,
    "review.png": partial(draw_page, view="review"),
    "operation.png": draw_page,
}


def main() -> None:
    """Make the pictures that are named, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.pictures", description=__doc__)
    parser.add_argument("what", nargs="*", help=f"{' or '.join(PICTURES)} (default: all)")
    parser.add_argument("--folder", type=Path, default=DOCS, help="where they are put")
    given = parser.parse_args()
    for name in set(given.what) - set(PICTURES):
        parser.error(f"{name}: give one of {', '.join(PICTURES)}")
    for name in given.what or PICTURES:
        PICTURES[name](given.folder / name)
        size = (given.folder / name).stat().st_size
        print(f"{given.folder / name}: {size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
