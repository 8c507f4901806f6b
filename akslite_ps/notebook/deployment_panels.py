"""The deployment runbook as a person uses it in JupyterLab: six panels that know of each other.

Each panel belongs to one section of the notebook and stays alive after "Run all": choosing a device, filling in the
form, planning, approving and applying happen in the panels, in threads, without any cell being run again. What was
planned, done and found is put into plain outputs, so that the saved notebook is a record without the widgets.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import ipywidgets as w

from akslite_ps.aksedge.config import DeploymentConfig
from akslite_ps.errors import AksLiteError, ConfigError
from akslite_ps.notebook import style
from akslite_ps.notebook.approval import Approval
from akslite_ps.notebook.deployment import DISTRIBUTIONS, Deployment, DeploymentOptions
from akslite_ps.notebook.deployment_record import config_table, record_of
from akslite_ps.notebook.device_picker import DevicePicker, device_table
from akslite_ps.notebook.form import form_for
from akslite_ps.notebook.form_fields import FormField
from akslite_ps.notebook.outputs import Remark, Slot
from akslite_ps.notebook.plan_view import PlanView
from akslite_ps.notebook.questions import SecretQuestion
from akslite_ps.notebook.run_view import RunLog, RunView
from akslite_ps.notebook.tables import findings_table, nodes_table, pods_table
from akslite_ps.operations.plan import Plan, Run
from akslite_ps.secrets import redact

_log = logging.getLogger(__name__)
_SINGLE = "SingleMachineCluster"
_FIXED = frozenset({"SchemaVersion", "Version", "DeploymentType", "User.AcceptEula"})
_FIRST = ("Machines", "Network", "Init", "Arc", "User")
_NOT_PLANNED = Remark("The plan appears here after you press Plan.")
_NOT_APPLIED = Remark("The result appears here after the plan was applied.")
_NO_CLUSTER = Remark("Nodes and system pods appear here after the plan was applied.")


class DeploymentPanels:
    """The panels; each ``show_...`` is called by the cell of its section.

    Args:
        options: The runbook's parameters, filled in as a start.
    """

    def __init__(self, options: DeploymentOptions) -> None:
        self._question = SecretQuestion()
        self._deployment = Deployment(options, ask=self._question)
        self._stop = threading.Event()
        self._picker = DevicePicker(options.device, on_change=lambda device: self._changed())
        self._device_slot = Slot(self._picker)
        self._build_config()
        self._build_plan()
        self._build_apply()
        self._cluster_slot = Slot(_NO_CLUSTER)
        self._record_slot = Slot(_NOT_APPLIED)

    def show_device(self) -> None:
        """Section 1."""
        self._device_slot.show()

    def show_config(self) -> None:
        """Section 2."""
        self._config_slot.show()

    def show_plan(self) -> None:
        """Section 3."""
        self._plan_controls.show()
        self._plan_slot.show()

    def show_apply(self) -> None:
        """Section 4."""
        self._apply_slot.show()

    def show_cluster(self) -> None:
        """Section 5."""
        self._cluster_slot.show()

    def show_record(self) -> None:
        """Section 6."""
        self._record_slot.show()

    def _build_config(self) -> None:
        options = self._deployment.options
        self._distribution = w.Dropdown(options=DISTRIBUTIONS, value=options.distribution, layout=w.Layout(width="120px"))
        self._file = w.Text(value=options.config_file, placeholder="path of an aksedge-config.json", layout=w.Layout(width="320px"))
        self._file.continuous_update = False
        self._load_button = _button("Load", "folder-open", self._load)
        self._config_note = w.HTML()
        self._form = form_for(
            DeploymentConfig,
            parse=self._deployment.config_from,
            hide=_hidden,
            single=("Machines",),
            first=_FIRST,
            on_change=self._changed,
        )
        head = w.HBox([_caption("Distribution"), self._distribution, _caption("Config file"), self._file, self._load_button])
        head.add_class("akslite-head")
        self._config_box = _app(head, self._config_note, self._form.widget)
        self._config_slot = Slot(self._config_box)
        self._distribution.observe(lambda change: self._load(), "value")
        self._load()

    def _build_plan(self) -> None:
        self._plan_button = _button("Plan", "search", self._pressed_plan, kind="primary")
        self._plan_button.add_class("akslite-plan")
        self._plan_note = w.HTML()
        self._plan_controls = Slot(_app(self._plan_button, self._plan_note, self._question.widget))
        self._plan_slot = Slot(_NOT_PLANNED)

    def _build_apply(self) -> None:
        self._apply_note = w.HTML(value=style.frame(style.note("First plan, and read the plan.")))
        self._approval_box = w.VBox()
        self._stop_button = _button("Stop", "stop", self._pressed_stop)
        self._stop_button.layout.display = "none"
        self._run_box = w.VBox()
        self._apply_slot = Slot(_app(self._apply_note, self._approval_box, self._stop_button, self._run_box))

    def _load(self) -> None:
        """Fill the form from the file named, or from the template of the distribution."""
        self._deployment.options = replace(
            self._deployment.options, distribution=self._distribution.value, config_file=self._file.value.strip()
        )
        try:
            config = self._deployment.starting_config()
        except AksLiteError as error:
            self._config_note.value = _fault(error)
            return
        self._config_note.value = ""
        self._form.set(config.as_data())
        self._changed()

    def _changed(self) -> None:
        """What was planned is no longer what is wanted."""
        if not hasattr(self, "_run_box"):
            return
        if self._deployment.plan is not None:
            self._deployment.plan = None
            self._plan_slot.put(Remark("Device or config changed: plan again.", "warn"))
        self._approval_box.children = ()
        self._apply_note.value = style.frame(style.note("First plan, and read the plan."))

    def _pressed_plan(self) -> None:
        self._deployment.device = self._picker.device
        if self._deployment.device is None:
            self._plan_note.value = style.frame(style.note("Choose a device first (section 1).", "warn"))
            return
        try:
            self._form.parse()
        except ConfigError as error:
            what = ", ".join(dict.fromkeys(issue.path for issue in error.issues))
            self._plan_note.value = style.frame(style.note(f"To be corrected first, in section 2: {what}", "warn"))
            return
        self._deployment.plan = None
        self._approval_box.children = ()
        self._plan_note.value = style.frame(style.note(f"Reading {self._deployment.device.name} ..."))
        self._lock(True)
        self._in_thread(self._plan, self._plan_failed)

    def _plan(self) -> None:
        plan = self._deployment.make_plan()
        waiting = self._deployment.unfinished()
        self._plan_note.value = ""
        self._plan_slot.put(PlanView(plan))
        if plan.blocked:
            note = style.note("The plan cannot be applied: mend what it says, then plan again.", "bad")
        elif waiting is not None:
            note = style.note(f"Run {waiting.run_id} for this device and config did not end; applying goes on with it.", "warn")
        else:
            note = ""
        self._apply_note.value = style.frame(note)
        if not plan.blocked:
            approval = Approval(plan, self._apply, licence=self._deployment.needs_licence)
            self._approval_box.children = (approval.widget,)
        self._lock(False)

    def _plan_failed(self, fault: str) -> None:
        self._plan_note.value = fault
        self._plan_slot.put(_NOT_PLANNED)
        self._lock(False)

    def _apply(self, approved_hash: str) -> None:
        if self._deployment.needs_licence:
            self._deployment.accept_licence()
        self._stop.clear()
        view = RunView()
        self._approval_box.children = ()
        self._run_box.children = (view.widget,)
        self._stop_button.layout.display = ""
        self._stop_button.disabled = False
        self._lock(True)
        self._in_thread(lambda: self._run(approved_hash, view), lambda fault: self._run_failed(fault, view))

    def _run(self, approved_hash: str, view: RunView) -> None:
        run = self._deployment.apply(approved_hash, view, stop=self._stop)
        view.paint()
        self._stop_button.layout.display = "none"
        self._record_slot.put(*record_of(run), RunLog(view.state))
        if run.finished:
            self._finish(run)
        else:
            self._goes_on(run)

    def _finish(self, run: Run) -> None:
        self._cluster_slot.put(Remark("Reading the cluster ..."))
        try:
            health = self._deployment.read_cluster()
        except AksLiteError as error:
            self._cluster_slot.put(Remark(str(error), "bad"))
        else:
            parts = [nodes_table(health.nodes), pods_table(health.pods)]
            self._cluster_slot.put(*parts, *([] if health.ready else [findings_table(health.findings)]))
        self._settle(run.plan)

    def _settle(self, plan: Plan) -> None:
        """Leave what stays readable in the saved notebook in the place of the inputs."""
        device, config = self._deployment.device, self._deployment.config
        if device is not None and config is not None:
            self._device_slot.put(device_table(device))
            self._config_slot.put(config_table(config))
        done = f"Done on {plan.device}. For another device run the whole notebook again (Run, Run All Cells)."
        self._plan_controls.put(Remark(done, "good"))
        self._apply_slot.put(Remark(f"Plan {plan.hash[:12]} was approved and applied; see the result below.", "good"))

    def _goes_on(self, run: Run) -> None:
        last = next((result for result in reversed(run.results) if not result.outcome.is_success), None)
        action = str((last.error or {}).get("next_action") or "") if last else ""
        detail = last.detail if last else ""
        again = f"To go on where it stopped: plan and apply again, or akslite resume {run.run_id}"
        text = f"The run did not reach its end. {detail}\n{action}\n{again}"
        self._apply_note.value = style.frame(style.note(redact(text), "bad"))
        self._approval_box.children = ()
        self._lock(False)

    def _run_failed(self, fault: str, view: RunView) -> None:
        view.close()
        self._apply_note.value = fault
        self._approval_box.children = ()
        self._stop_button.layout.display = "none"
        self._lock(False)

    def _pressed_stop(self) -> None:
        self._stop_button.disabled = True
        self._apply_note.value = style.frame(
            style.note("Stopping. What runs on the device goes on there; the run can go on later.", "warn")
        )
        self._stop.set()

    def _lock(self, on: bool) -> None:
        self._picker.disable(on)
        self._form.disable(on)
        for control in (self._plan_button, self._load_button, self._distribution, self._file):
            control.disabled = on

    def _in_thread(self, work: Callable[[], None], failed: Callable[[str], None]) -> None:
        def guarded() -> None:
            try:
                work()
            except AksLiteError as error:
                failed(_fault(error))
            except Exception as error:  # noqa: BLE001 - a fault of ours must reach the person; a thread has no cell to fail
                _log.exception("the panel's work failed")
                failed(style.frame(style.note(f"This is a fault of akslite: {type(error).__name__}: {redact(str(error))}", "bad")))

        threading.Thread(target=guarded, name="akslite-panel", daemon=True).start()


def _hidden(path: str, field: FormField) -> bool:
    return path in _FIXED or _SINGLE not in field.extra.get("deployment_types", (_SINGLE,))


def _fault(error: AksLiteError) -> str:
    return style.frame(style.note(redact(str(error)), "bad"))


def _button(text: str, icon: str, action: Callable[[], None], *, kind: str = "") -> Any:
    button = w.Button(description=text, icon=icon, button_style=kind, layout=w.Layout(width="140px"))
    button.on_click(lambda _: action())
    return button


def _caption(text: str) -> Any:
    caption = w.HTML(style.escape(text))
    caption.add_class("akslite-caption")
    return caption


def _app(*parts: Any) -> Any:
    box = w.VBox([w.HTML(style.sheet()), *parts])
    box.add_class("akslite-app")
    return box
