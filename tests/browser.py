"""A real browser, for what people see."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@contextmanager
def browser_page() -> Iterator[Any]:
    """An empty page of the Chromium that is installed; skips the test where none is."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        own = Path(playwright.chromium.executable_path)
        found = next(filter(None, map(shutil.which, NAMES)), None)
        if not own.exists() and found is None:
            pytest.skip("no browser is installed: `playwright install chromium`, or Debian's chromium")
        browser = playwright.chromium.launch(
            executable_path=None if own.exists() else found,
            args=["--no-sandbox"],  # root in a container has none
        )
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.set_default_timeout(120_000)  # the UI is a few megabytes of scripts
        try:
            yield page
        finally:
            browser.close()
