"""The phases of an update: what is sent in each, and how the device shows that it took effect.

The first replaces the product and its module, so the others run in a session opened after it. They restart this machine's nodes
with a newer system: its Kubernetes version, or, where that stays, another system image or kernel, tells that they did. A node
that cannot be updated comes back with its former system by itself. Planned by ``operations.update``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from akslite_ps.aksedge.versions import compare, is_version, version_key
from akslite_ps.operations.cluster_nodes import ClusterNode, in_words, nodes_now
from akslite_ps.operations.polling import wait_for
from akslite_ps.operations.steps import Check, Done, StepCode, Verdict
from akslite_ps.operations.work import Work
from akslite_ps.outcome import Outcome

ACCEPT = "update.accept"
PRODUCT = "update.product"
CONTROL_PLANE = "update.control-plane"
WORKERS = "update.workers"


def minor_of(version: str) -> int:
    """The minor of a Kubernetes version, 31 for ``1.31.6``."""
    return version_key(version)[1]


class _Accept(StepCode):
    repeatable = True  # the setting is the same after it

    def check(self, work: Work) -> Check:
        from akslite_ps.aksedge.calls import AksEdge

        if AksEdge(work.session()).get_upgrade():
            return Check(Verdict.SO, "the device takes new minor versions of Kubernetes")
        return Check(Verdict.NOT_SO, "the device takes no new minor version of Kubernetes")

    def act(self, work: Work) -> Done:
        from akslite_ps.aksedge.calls import AksEdge

        AksEdge(work.sender).set_upgrade(True, timeout_s=work.step.max_run_s)
        return Done(Outcome.CHANGED)

    def verify(self, work: Work, done: Done) -> Done:
        check = self.check(work)
        if check.verdict is not Verdict.SO:
            raise work.failure(
                f"the product answered, but {check.detail}",
                next_action="read it on the device: Get-AksEdgeUpgrade",
            )
        return Done(done.outcome, check.detail, {"accepts_upgrade": True})


class _Product(StepCode):
    def check(self, work: Work) -> Check:
        found, before, wanted = work.facts().product_version, work.parameters["from"], work.parameters.get("to")
        evidence = {"version": found}
        if found is None or not is_version(found):
            return Check(Verdict.CANNOT_TELL, "the version of the product cannot be read", evidence)
        if compare(found, before) <= 0:
            return Check(Verdict.NOT_SO, f"version {found} is installed", evidence)
        if wanted is not None and compare(found, wanted) != 0:
            raise work.failure(
                f"version {found} is installed; the plan is for {wanted}",
                next_action="make a new plan",
            )
        return Check(Verdict.SO, f"version {found} is installed", evidence)

    def act(self, work: Work) -> Done:
        from akslite_ps.aksedge.calls import AksEdge

        answer = AksEdge(work.sender).start_update(timeout_s=work.step.max_run_s)
        return Done(Outcome.CHANGED, answer, {"answer": answer})

    def verify(self, work: Work, done: Done) -> Done:
        work.sessions.drop()  # the module is another one now; sessions opened before keep the old
        check = self.check(work)
        if check.verdict is not Verdict.SO:
            said = f"; the product said: {done.evidence['answer']}" if done.evidence.get("answer") else ""
            raise work.failure(
                f"the product was not updated: {check.detail}{said}",
                next_action="see whether the update is still staged (akslite update with --what-if), stage it, then resume the run",
            )
        return Done(done.outcome, f"{check.detail}, before {work.parameters['from']}", check.evidence)


class _Nodes(StepCode):
    """Restarts the nodes of one kind on this machine with their new system."""

    def check(self, work: Work) -> Check:
        return self._judge(work, wait_for(work, lambda: _own(work), bool, in_words))

    def act(self, work: Work) -> Done:
        if not work.sender.takes_up:
            work.sessions.drop()  # only sessions opened after the first phase have the module of the new version
        self.send(work)
        return Done(Outcome.CHANGED)

    def send(self, work: Work) -> None:
        """Run the phase's cmdlet."""
        raise NotImplementedError

    def verify(self, work: Work, done: Done) -> Done:
        nodes = wait_for(
            work,
            lambda: _own(work),
            lambda found: all(node.ready for node in found) and self._judge(work, found).verdict is Verdict.SO,
            in_words,
        )
        check, late = self._judge(work, nodes), [node.name for node in nodes if not node.ready]
        if late or check.verdict is not Verdict.SO:
            raise work.failure(
                f"not ready within {work.step.max_run_s} s: {', '.join(late)}" if late else check.detail,
                next_action="a node that cannot be updated starts with its former system by itself: look at the product's "
                "event log (Get-AksEdgeEventLog), then resume the run",
            )
        return Done(done.outcome, check.detail, check.evidence)

    def _judge(self, work: Work, nodes: Iterable[ClusterNode]) -> Check:
        wanted, before = work.parameters.get("kubernetes"), work.parameters["before"]
        found = {node.name: node for node in nodes}
        evidence = {"nodes": {name: node.system for name, node in found.items()}}
        for name, system in before.items():
            node = found.get(name)
            if node is None:
                return Check(Verdict.NOT_SO, f"Kubernetes does not know the node {name}", evidence)
            if wanted is not None and node.kubernetes is not None and compare(node.kubernetes, wanted) < 0:
                return Check(Verdict.NOT_SO, f"{name} runs Kubernetes {node.version}, not {wanted}", evidence)
            if node.system == system:
                return Check(Verdict.NOT_SO, f"{name} has the same system as before: {', '.join(system)}", evidence)
        detail = "; ".join(f"{name} runs {', '.join(node.system)}" for name, node in found.items())
        return Check(Verdict.SO, detail, evidence)


class _ControlPlane(_Nodes):
    def send(self, work: Work) -> None:
        from akslite_ps.aksedge.calls import AksEdge

        AksEdge(work.sender).start_control_plane_update(
            first_control_plane=bool(work.parameters["first"]), timeout_s=work.step.max_run_s
        )


class _Workers(_Nodes):
    def send(self, work: Work) -> None:
        from akslite_ps.aksedge.calls import AksEdge

        AksEdge(work.sender).start_worker_node_update(timeout_s=work.step.max_run_s)


def _own(work: Work) -> list[ClusterNode]:
    """The nodes that the step is about."""
    return [node for node in nodes_now(work, work.session()) if node.name in work.parameters["before"]]


CODE: Mapping[str, StepCode] = {ACCEPT: _Accept(), PRODUCT: _Product(), CONTROL_PLANE: _ControlPlane(), WORKERS: _Workers()}
