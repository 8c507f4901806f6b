"""What notebooks show (tables, forms, plans, progress) and the runner that executes runbooks headless.

Used by the runbooks, the lessons, the kernel and ``akslite runbook``. The public names load on first use: the runner
does not need widgets, and a lesson does not need the runner.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from akslite_ps.lazy import lazy_names

if TYPE_CHECKING:
    from akslite_ps.notebook.approval import Approval as Approval
    from akslite_ps.notebook.approval import approve as approve
    from akslite_ps.notebook.deployment_runbook import deploy_single_machine as deploy_single_machine
    from akslite_ps.notebook.device_picker import DevicePicker as DevicePicker
    from akslite_ps.notebook.device_picker import pick_device as pick_device
    from akslite_ps.notebook.form import Form as Form
    from akslite_ps.notebook.form import filled as filled
    from akslite_ps.notebook.form import form_for as form_for
    from akslite_ps.notebook.front_end import interactive as interactive
    from akslite_ps.notebook.kernel_setup import set_up_kernel as set_up_kernel
    from akslite_ps.notebook.parameters import Parameter as Parameter
    from akslite_ps.notebook.parameters import known_parameters as known_parameters
    from akslite_ps.notebook.parameters import read_notebook as read_notebook
    from akslite_ps.notebook.plan_view import PlanView as PlanView
    from akslite_ps.notebook.record import RunbookRecord as RunbookRecord
    from akslite_ps.notebook.run_view import RunPrinter as RunPrinter
    from akslite_ps.notebook.run_view import RunView as RunView
    from akslite_ps.notebook.runner import CellEvent as CellEvent
    from akslite_ps.notebook.runner import run_runbook as run_runbook
    from akslite_ps.notebook.tables import Column as Column
    from akslite_ps.notebook.tables import Table as Table
    from akslite_ps.notebook.tables import facts_table as facts_table
    from akslite_ps.notebook.tables import findings_table as findings_table
    from akslite_ps.notebook.tables import nodes_table as nodes_table
    from akslite_ps.notebook.tables import pods_table as pods_table
    from akslite_ps.notebook.tables import run_table as run_table

_PLACES = {
    "Approval": "approval",
    "CellEvent": "runner",
    "Column": "tables",
    "DevicePicker": "device_picker",
    "Form": "form",
    "Parameter": "parameters",
    "PlanView": "plan_view",
    "RunPrinter": "run_view",
    "RunView": "run_view",
    "RunbookRecord": "record",
    "Table": "tables",
    "approve": "approval",
    "deploy_single_machine": "deployment_runbook",
    "facts_table": "tables",
    "filled": "form",
    "findings_table": "tables",
    "form_for": "form",
    "interactive": "front_end",
    "known_parameters": "parameters",
    "nodes_table": "tables",
    "pick_device": "device_picker",
    "pods_table": "tables",
    "read_notebook": "parameters",
    "run_runbook": "runner",
    "run_table": "tables",
    "set_up_kernel": "kernel_setup",
}

__all__ = [
    "Approval",
    "CellEvent",
    "Column",
    "DevicePicker",
    "Form",
    "Parameter",
    "PlanView",
    "RunPrinter",
    "RunView",
    "RunbookRecord",
    "Table",
    "approve",
    "deploy_single_machine",
    "facts_table",
    "filled",
    "findings_table",
    "form_for",
    "interactive",
    "known_parameters",
    "nodes_table",
    "pick_device",
    "pods_table",
    "read_notebook",
    "run_runbook",
    "run_table",
    "set_up_kernel",
]


__getattr__, __dir__ = lazy_names(__name__, _PLACES)
