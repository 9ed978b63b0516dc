"""One browser for all tests of the page."""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

EVIL = "evil.example"  # leads to this machine, as after DNS rebinding


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", f"--host-resolver-rules=MAP {EVIL} 127.0.0.1"]
        )
        yield found
        found.close()
