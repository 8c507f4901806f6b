"""What the cells of the deployment runbook call, one method per section.

In JupyterLab each method shows a panel that is alive: nothing needs to be run again after a form is filled in.
Headless each method does its step with the parameters, and its output is part of the record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from akslite_ps.errors import AksLiteError
from akslite_ps.notebook.approval import approve
from akslite_ps.notebook.deployment import Deployment, DeploymentOptions, raise_unless_done
from akslite_ps.notebook.deployment_record import config_table, record_of
from akslite_ps.notebook.device_picker import device_table
from akslite_ps.notebook.front_end import interactive
from akslite_ps.notebook.kernel_setup import set_up_kernel
from akslite_ps.notebook.outputs import Remark, display
from akslite_ps.notebook.plan_view import PlanView
from akslite_ps.notebook.run_view import RunPrinter
from akslite_ps.notebook.tables import findings_table, nodes_table, pods_table

if TYPE_CHECKING:
    from akslite_ps.notebook.deployment_panels import DeploymentPanels


class DeploymentRunbook:
    """See the module. Made by :func:`deploy_single_machine`."""

    def __init__(self, options: DeploymentOptions, panels: DeploymentPanels | None) -> None:
        self._deployment = Deployment(options)
        self._panels = panels

    def choose_device(self) -> None:
        """Section 1: the device."""
        if self._panels is not None:
            self._panels.show_device()
            return
        device = self._deployment.choose_device()
        if self._deployment.rehearsed:
            text = f"A rehearsal on the simulated device {device.name}: offline, licence terms and confirmation are taken as given."
            display(Remark(text))
        display(device_table(device))

    def describe(self) -> None:
        """Section 2: what is wanted."""
        if self._panels is not None:
            self._panels.show_config()
            return
        self._deployment.config = self._deployment.starting_config()
        display(config_table(self._deployment.config))

    def make_plan(self) -> None:
        """Section 3: read the device, and say what would be done."""
        if self._panels is not None:
            self._panels.show_plan()
            return
        display(PlanView(self._deployment.make_plan()))

    def apply(self) -> None:
        """Section 4: do it."""
        if self._panels is not None:
            self._panels.show_apply()
            return
        deployment = self._deployment
        plan = deployment.plan or deployment.make_plan()
        confirm = plan.device if deployment.rehearsed else deployment.options.confirm
        run = deployment.apply(approve(plan, confirm=confirm), RunPrinter())
        raise_unless_done(run)

    def show_cluster(self) -> None:
        """Section 5: nodes and system pods."""
        if self._panels is not None:
            self._panels.show_cluster()
            return
        health = self._deployment.read_cluster()
        display(nodes_table(health.nodes))
        display(pods_table(health.pods))
        if not health.ready:
            display(findings_table(health.findings))
            raise AksLiteError(
                f"the cluster is not ready: {health.summary}",
                device=self._deployment.device.name if self._deployment.device else None,
                attempted="verify the cluster",
                next_action="wait some minutes and read it again: akslite status DEVICE",
            )

    def show_record(self) -> None:
        """Section 6: how it ended, and where the journal lies."""
        if self._panels is not None:
            self._panels.show_record()
            return
        if self._deployment.run is not None:
            for part in record_of(self._deployment.run):
                display(part)


def deploy_single_machine(
    *,
    device: str = "",
    config_file: str = "",
    distribution: str = "K3s",
    offline: bool = False,
    accept_eula: bool = False,
    confirm: str = "",
    msi: str = "",
    msi_sha256: str = "",
) -> DeploymentRunbook:
    """Start the runbook with its parameters; see :class:`akslite_ps.notebook.deployment.DeploymentOptions`.

    Raises:
        UsageError: A parameter is not usable.
    """
    set_up_kernel()
    options = DeploymentOptions(
        device=device,
        config_file=config_file,
        distribution=distribution,
        offline=offline,
        accept_eula=accept_eula,
        confirm=confirm,
        msi=msi,
        msi_sha256=msi_sha256,
    )
    if not interactive():
        return DeploymentRunbook(options, None)
    from akslite_ps.notebook.deployment_panels import DeploymentPanels

    return DeploymentRunbook(options, DeploymentPanels(options))
