"""A real JupyterLab and a real Chromium for the browser tests: one server for all, one browser for each."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import nbformat
import pytest

from akslite_ps.cli.sandbox import as_inventory_device
from akslite_ps.fleet import Inventory

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from akslite_ps.sandbox import LocalSandbox

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
START_LIMIT_S = 90


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab over a copy of the notebooks, with simulated devices in its inventory."""

    url: str
    folder: Path
    home: Path
    sandbox: LocalSandbox

    def open(self, page: Page, notebook: str) -> None:
        """Open a notebook alone on the page and wait until its kernel is idle."""
        page.goto(f"{self.url}/doc/tree/{notebook}")
        page.wait_for_function("() => window.jupyterapp !== undefined")
        page.evaluate(
            """async () => {
                const app = window.jupyterapp;
                await app.restored;
                while (!app.shell.currentWidget?.context) {
                    await new Promise(resolve => setTimeout(resolve, 100));
                }
                const panel = app.shell.currentWidget;
                await panel.context.ready;
                await panel.sessionContext.ready;
                const session = panel.sessionContext.session;
                await session.kernel.info;
                while (session.kernel.status !== 'idle' || session.kernel.connectionStatus !== 'connected') {
                    await new Promise(resolve => setTimeout(resolve, 100));
                }
            }"""
        )

    def run_all(self, page: Page) -> None:
        """Run all cells as the menu does, and wait until every code cell has been executed."""
        page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }")
        page.wait_for_function(
            """() => {
                const cells = window.jupyterapp.shell.currentWidget.content.model.cells;
                const code = [...Array(cells.length).keys()].map(i => cells.get(i)).filter(c => c.type === 'code');
                return code.every(c => c.executionCount && c.executionState !== 'running');
            }"""
        )

    def save(self, page: Page, notebook: str) -> nbformat.NotebookNode:
        """Save as Ctrl-S does and read the file."""
        page.evaluate("async () => { await window.jupyterapp.shell.currentWidget.context.save(); }")
        return nbformat.read(self.folder / notebook, as_version=4)


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """JupyterLab on loopback with an empty token, its settings and runtime folders in a temporary place."""
    if CHROMIUM is None:
        pytest.skip("needs Chromium (Debian: apt-get install chromium)")
    pytest.importorskip("jupyterlab", reason="needs JupyterLab (extra 'lab')")
    from akslite_ps.sandbox import LocalSandbox

    base = tmp_path_factory.mktemp("lab")
    folder, home = base / "work", base / "home"
    for name in ("runbooks", "notebooks"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    shutil.copy(ROOT / "tests" / "recorded" / "azure-aks-edge" / "aksedge-config.json", folder / "aksedge-config.json")
    with LocalSandbox(base / "sandbox", devices=2, speed=120) as sandbox:
        home.mkdir()
        Inventory.load(home / "inventory.json").add(*(as_inventory_device(d) for d in sandbox.devices))
        server = _start(base, folder, home)
        url = f"http://127.0.0.1:{server.port}"
        try:
            _wait(url, server.process, base / "lab.log")
            yield Lab(url, folder, home, sandbox)
        finally:
            server.process.terminate()
            server.process.wait(timeout=20)


@dataclass
class _Server:
    process: subprocess.Popen[bytes]
    port: int


def _start(base: Path, folder: Path, home: Path) -> _Server:
    port = _free_port()
    env = {**os.environ, "AKSLITE_HOME": str(home), "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}
    for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR", "IPYTHONDIR"):
        env[name] = str(base / name.lower())
        Path(env[name]).mkdir()
    page_config = Path(env["JUPYTER_CONFIG_DIR"]) / "labconfig" / "page_config.json"
    page_config.parent.mkdir()
    page_config.write_text('{"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": true}}', encoding="utf-8")
    options = [
        "--no-browser",
        "--ip=127.0.0.1",
        f"--port={port}",
        "--ServerApp.port_retries=0",
        "--IdentityProvider.token=",
        "--ServerApp.password=",
        "--ServerApp.allow_root=True",
        f"--ServerApp.root_dir={folder}",
        "--LabApp.expose_app_in_browser=True",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.extension_manager=readonly",
        "--LanguageServerManager.autodetect=False",
    ]
    with (base / "lab.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "jupyterlab", *options], env=env, stdout=log, stderr=log)
    return _Server(process, port)


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = monotonic() + START_LIMIT_S
    while monotonic() < end:
        if process.poll() is not None:
            pytest.fail("JupyterLab ended at once:\n" + log.read_text(encoding="utf-8")[-3000:])
        try:
            with urllib.request.urlopen(f"{url}/api/status", timeout=1) as answer:  # noqa: S310 - the loopback URL is ours
                json.load(answer)
                return
        except (urllib.error.URLError, OSError):
            continue
    pytest.fail("JupyterLab did not answer in time:\n" + log.read_text(encoding="utf-8")[-3000:])


@pytest.fixture
def page() -> Iterator[Page]:
    """A fresh page of Debian's Chromium, headless, wide enough for a notebook.

    One browser per test: playwright keeps an event loop running in this thread as long as it is open, which the
    asynchronous tests that follow would trip over.
    """
    if CHROMIUM is None:
        pytest.skip("needs Chromium (Debian: apt-get install chromium)")
    playwright_api = pytest.importorskip("playwright.sync_api", reason="needs playwright (extra 'test')")
    with playwright_api.sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--disable-sync"],
        )
        context = browser.new_context(viewport={"width": 1280, "height": 1000})
        context.set_default_timeout(60_000)
        yield context.new_page()
        browser.close()


@pytest.fixture
def look(page: Page) -> Callable[[str], None]:
    """Keeps a picture for a person, by name, where AKSLITE_SCREENSHOTS names a folder."""
    folder = os.environ.get("AKSLITE_SCREENSHOTS")

    def keep(name: str) -> None:
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            page.screenshot(path=Path(folder) / f"{name}.png")

    return keep
