"""The deploy runbook as a person uses it: JupyterLab in Chromium, the form filled, Apply pressed, Ready nodes seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Lab
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.slow]
RUNBOOK = "runbooks/40-deploy-single-machine.ipynb"


def test_a_person_deploys_a_cluster_from_the_runbook(lab: Lab, page: Page, look: Callable[[str], None]) -> None:
    lab.open(page, RUNBOOK)
    lab.run_all(page)

    picker = page.locator("select", has_text="choose a device")
    picker.select_option(value=picker.locator("option", has_text="press-01").get_attribute("value"))
    page.get_by_text("Network", exact=True).first.click()
    page.locator(".akslite-row", has_text="Deploys without internet").locator("input").check()
    look("1-form")
    page.locator(".akslite-plan").click()
    approval = page.locator(".akslite-confirm input")
    approval.wait_for()
    approval.scroll_into_view_if_needed()
    look("2-plan")
    apply = page.locator(".akslite-apply")
    assert apply.is_disabled()
    approval.fill("press-01")
    assert apply.is_disabled(), "the licence terms were not accepted yet"
    page.locator(".akslite-licence input").check()
    apply.click()
    page.locator(".akslite-run").scroll_into_view_if_needed()
    page.locator(".akslite-run", has_text="Waiting for the node to be Ready").wait_for()
    look("3-running")
    node = page.locator("td", has_text="Azure Linux")
    node.wait_for(timeout=120_000)
    node.scroll_into_view_if_needed()
    assert page.locator("tr", has_text="press-01-ledge", has=node).get_by_text("Ready", exact=True).is_visible()
    look("4-cluster")

    saved = lab.save(page, RUNBOOK)
    outputs = "".join(str(cell.get("outputs", "")) for cell in saved.cells)
    assert "press-01-ledge" in outputs
    assert "Ready" in outputs
    device = next(d for d in lab.sandbox.devices if d.name == "press-01")
    assert device.state == "deployed"
    password = device.password_file.read_text(encoding="utf-8").strip()
    assert password not in (lab.folder / RUNBOOK).read_text(encoding="utf-8")
