"""The steps that connect a cluster to Azure Arc or disconnect it: one command, polling after, secrets emptied.

Planned by ``operations.arc``; walked by ``operations.engine``. The config's secret is resolved when the command is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

from akslite_ps.operations.arc_state import AGENTS, ArcState, read_arc
from akslite_ps.operations.polling import wait_for
from akslite_ps.operations.steps import Check, Done, StepCode, Verdict
from akslite_ps.operations.work import Work
from akslite_ps.outcome import Outcome

CONNECT = "connect.arc"
CONNECTED = "connect.wait"
SCRUB_CONNECTED = "connect.scrub"
DISCONNECT = "disconnect.arc"
DISCONNECTED = "disconnect.wait"
SCRUB_DISCONNECTED = "disconnect.scrub"

_CLEAN_UP = (
    f"kubectl delete namespace {AGENTS}; kubectl delete clusterrolebinding azure-arc-operator; "
    "kubectl delete secret sh.helm.release.v1.azure-arc.v1 in the namespace that has it"
)


class _Connect(StepCode):
    def check(self, work: Work) -> Check:
        return self._judged(read_arc(work.session()))

    def settle(self, work: Work) -> Check:
        """Agents that were installed need minutes until they are connected."""
        state = read_arc(work.session())
        return self._judged(_until(work, lambda state: state.connected) if state.agents else state)

    @staticmethod
    def _judged(state: ArcState) -> Check:
        verdict = Verdict.SO if state.connected else Verdict.NOT_SO
        return Check(verdict, f"the cluster is {state.sentence}", state.to_dict())

    def act(self, work: Work) -> Done:
        from akslite_ps.aksedge.calls import AksEdge

        AksEdge(work.sender).connect_arc(_config_json(work), timeout_s=work.step.max_run_s)
        return Done(Outcome.CHANGED, "the product answered OK; whether Azure sees the cluster is checked next")


class _Disconnect(StepCode):
    def check(self, work: Work) -> Check:
        state = read_arc(work.session())
        verdicts = {True: Verdict.NOT_SO, False: Verdict.SO, None: Verdict.CANNOT_TELL}
        return Check(verdicts[state.registered], f"the cluster is {state.sentence}", state.to_dict())

    def act(self, work: Work) -> Done:
        from akslite_ps.aksedge.calls import AksEdge

        AksEdge(work.sender).disconnect_arc(_config_json(work), timeout_s=work.step.max_run_s)
        return Done(Outcome.CHANGED, "the product answered OK")


class _Connected(StepCode):
    repeatable = True

    def act(self, work: Work) -> Done:
        state = _until(work, lambda state: state.connected)
        if not state.connected:
            raise work.failure(
                f"after {work.step.max_run_s} s the cluster is {state.sentence}",
                next_action=(
                    "check that the service principal has the role 'Kubernetes Cluster - Azure Arc Onboarding' on the resource "
                    f"group, the device's clock, and the pods of the namespace {AGENTS}; then resume the run"
                ),
            )
        return Done(Outcome.OK, f"the cluster is {state.sentence}", state.to_dict())


class _Disconnected(StepCode):
    repeatable = True

    def act(self, work: Work) -> Done:
        state = _until(work, lambda state: state.registered is False)
        if state.connected:
            raise work.failure(
                f"after {work.step.max_run_s} s the cluster is still {state.sentence}",
                next_action="look for the connected cluster in Azure; then resume the run",
            )
        left = f"; what is left of the agents is removed by hand: {_CLEAN_UP}" if state.agents else ""
        return Done(Outcome.OK, f"the cluster is {state.sentence}{left}", state.to_dict())


class _Scrub(StepCode):
    repeatable: ClassVar[bool] = True

    def check(self, work: Work) -> Check:
        from akslite_ps.aksedge.ops import config_secrets

        files = config_secrets(work.session()).files
        if not files:
            return Check(Verdict.SO, "no config with an Azure secret was found on the device")
        return Check(Verdict.NOT_SO, f"secrets are in {', '.join(files)}", {"files": list(files)})

    def act(self, work: Work) -> Done:
        from akslite_ps.aksedge.ops import config_secrets

        found = config_secrets(work.sender, clear=True, timeout_s=work.step.max_run_s)
        if found.failed:
            raise work.failure(
                f"secrets are still in {', '.join(found.failed)}: the files could not be written",
                next_action="delete the secrets there by hand, and renew the service principal's secret",
            )
        detail = f"emptied the secrets in {', '.join(found.files)}; renew the secret: others may have read it there"
        return Done(Outcome.CHANGED, detail, {"files": list(found.files)})

    def verify(self, work: Work, done: Done) -> Done:
        check = self.check(work)
        if check.verdict is not Verdict.SO:
            raise work.failure(
                check.detail,
                next_action="see who writes them on the device; then resume the run",
            )
        return done


def _until(work: Work, wanted: Callable[[ArcState], bool]) -> ArcState:
    """Read until it is as wanted or the step's time is over; returns the last reading.

    Raises:
        Unreachable: The device did not answer for too long.
    """
    return wait_for(
        work,
        lambda: read_arc(work.session()),
        wanted,
        lambda state: f"The cluster is {state.sentence}",
        silent_within_s=work.controller.limits.back_within_s,
    )


def _config_json(work: Work) -> str:
    """The config for the device, its secret resolved now; never stored. Connecting accepts no licence terms."""
    config = work.config()
    if former := work.parameters.get("former"):
        config = config.with_values(former)
    return config.to_json(resolve=True, eula_accepted=False, ask=work.ask)


CODE: Mapping[str, StepCode] = {
    CONNECT: _Connect(),
    CONNECTED: _Connected(),
    SCRUB_CONNECTED: _Scrub(),
    DISCONNECT: _Disconnect(),
    DISCONNECTED: _Disconnected(),
    SCRUB_DISCONNECTED: _Scrub(),
}
