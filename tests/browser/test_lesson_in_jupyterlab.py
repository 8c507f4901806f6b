"""The first lesson in JupyterLab: PowerShell cells on a device, a widget beside them, TAB, and the stop button."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Lab
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.slow]
LESSON = "notebooks/01-first-look.ipynb"
ACTIVE = "window.jupyterapp.shell.currentWidget.content.activeCell"


def type_in_new_cell(page: Page, text: str) -> None:
    """A new code cell below the last one, with this text typed into it."""
    page.evaluate(
        """async () => {
            const notebook = window.jupyterapp.shell.currentWidget.content;
            notebook.activeCellIndex = notebook.widgets.length - 1;
            await window.jupyterapp.commands.execute('notebook:insert-cell-below');
            await window.jupyterapp.commands.execute('notebook:change-cell-to-code');
        }"""
    )
    page.locator(".jp-Cell.jp-mod-active .cm-content").click()
    page.keyboard.type(text)


def run_cell(page: Page) -> None:
    """Run the active cell and wait until it is done."""
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-cell'); }")
    page.wait_for_function(f"() => {ACTIVE}.model.executionCount")


def until(page: Page, condition: Callable[[], bool]) -> None:
    """Wait until a condition of the simulated device holds, letting the page go on."""
    end = monotonic() + 60
    while not condition():
        assert monotonic() < end, "the device did not come to this state"
        page.wait_for_timeout(50)


def test_a_trainee_takes_the_first_lesson(lab: Lab, page: Page, look: Callable[[str], None]) -> None:
    lab.open(page, LESSON)
    lab.run_all(page)

    page.locator(".jp-OutputArea", has_text="Get-AksLiteFacts").locator("table").first.scroll_into_view_if_needed()
    look("5-lesson-table")
    error = page.locator(".jp-OutputArea", has_text="FullyQualifiedErrorId").first
    error.scroll_into_view_if_needed()
    look("6-lesson-error")
    assert "Traceback" not in error.inner_text()
    slider = page.locator(".widget-slider .noUi-handle").first
    slider.scroll_into_view_if_needed()
    slider.focus()
    left = page.locator(".widget-label", has_text="MB are left for Windows").first
    before = left.inner_text()
    slider.press("ArrowRight")
    page.wait_for_function(
        """before => [...document.querySelectorAll('.widget-label')]
            .some(label => label.innerText.includes('left for Windows') && label.innerText !== before)""",
        arg=before,
    )
    look("7-lesson-widget")

    type_in_new_cell(page, "%connect press-02")
    run_cell(page)
    type_in_new_cell(page, "Get-AksLiteBoo")
    page.keyboard.press("Tab")
    page.locator(".jp-Completer-item", has_text="Get-AksLiteBootTime").wait_for()
    page.keyboard.press("Enter")
    page.wait_for_function(f"() => {ACTIVE}.model.sharedModel.source === 'Get-AksLiteBootTime'")
    run_cell(page)
    type_in_new_cell(page, "Start-Sleep -Seconds 600")
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-cell'); }")
    device = lab.sandbox.device("press-02")
    until(page, lambda: not device.is_idle)
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:interrupt-kernel'); }")
    page.wait_for_function(
        "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'idle'", timeout=20_000
    )
    look("8-lesson-stopped")
    assert lab.sandbox.device("press-02").is_idle
