"""The steps around an installer that lies on this machine: copied to the device before it is run there, deleted after.

Planned by ``operations.install``, walked by ``operations.engine``. A copy that breaks goes on where it stopped, in this run or
in the one that resumes it. Needs an endpoint that takes scripts: restricted ones fetch installers by themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from akslite_ps.errors import CmdletFailed, SessionLost
from akslite_ps.operations.plan import Finding, Step
from akslite_ps.operations.steps import Check, Done, StepCode, Verdict
from akslite_ps.operations.work import Work
from akslite_ps.outcome import Outcome

if TYPE_CHECKING:
    from akslite_ps.aksedge.host_facts import HostFacts
    from akslite_ps.operations.msi_source import MsiSource
    from akslite_ps.remoting import CopiedFile, CopyProgress

PUSH = "install.push"
TIDY = "install.tidy"

_MB = 1_000_000
_MB_PER_S = 8
"""What usually goes over PowerShell Remoting in a local network; an estimate for plans."""


def push_step(msi: MsiSource, *, needed: bool) -> Step:
    """The step that copies the installer."""
    size = Path(msi.file or "").stat().st_size
    return Step(
        id=PUSH,
        title="Copy the installer to the device",
        command="copy_to_device",
        change=f"copies {Path(msi.file or '').name} ({max(1, size // _MB)} MB) to {msi.source}" if needed else "",
        needed=needed,
        typical_s=max(5, size // _MB // _MB_PER_S),
        max_run_s=4 * 3600,
        parameters={"file": msi.file, "target": msi.source, "sha256": msi.sha256},
    )


def tidy_step(msi: MsiSource, *, needed: bool) -> Step:
    """The step that deletes the copy."""
    return Step(
        id=TIDY,
        title="Delete the copied installer",
        command="Remove-Item",
        change=f"deletes {msi.source}" if needed else "",
        needed=needed,
        typical_s=5,
        max_run_s=120,
        parameters={"target": msi.source},
    )


def language_finding(facts: HostFacts) -> Finding:
    """Whether the endpoint takes the scripts that a copy needs."""
    takes_scripts = (facts.language_mode or "FullLanguage").casefold() == "fulllanguage"
    return Finding(
        check="scripts",
        title="Copying the installer",
        severity="ok" if takes_scripts else "error",
        read=f"the session's language is {facts.language_mode or 'not told'}",
        needed="FullLanguage: files are written by scripts",
        action="" if takes_scripts else "use an endpoint with full language, or an https address or a share: --msi",
    )


class _Push(StepCode):
    repeatable: ClassVar[bool] = True  # a copy goes on with what is there, and one that is whole is left alone

    def act(self, work: Work) -> Done:
        copied = self._copied(work)
        if copied.sha256 != work.parameters["sha256"]:
            raise work.failure(
                f"{copied.local} is not the file that the plan was made for: its SHA-256 is {copied.sha256} now",
                next_action="make a new plan with this file, or put the other one back and resume the run",
            )
        outcome = Outcome.OK if copied.resumed == copied.size else Outcome.CHANGED
        evidence = {"path": copied.remote, "bytes": copied.size, "sha256": copied.sha256}
        return Done(outcome, f"{work.parameters['target']}, {copied.size} bytes, SHA-256 compared", evidence)

    @staticmethod
    def _copied(work: Work) -> CopiedFile:
        from akslite_ps.remoting import copy_to_device

        furthest, came_over = -1, -1

        def tell(progress: CopyProgress) -> None:
            nonlocal came_over
            work.check_stop()
            came_over = progress.done
            fraction = progress.done / progress.total if progress.total else 1.0
            work.tell(f"{progress.done // _MB} of {progress.total // _MB} MB copied", fraction)

        while True:
            try:
                return copy_to_device(
                    work.session(), Path(work.parameters["file"]), work.parameters["target"], overwrite=True, on_progress=tell
                )
            except SessionLost:
                if came_over <= furthest:
                    raise
                furthest = came_over
                work.sessions.drop()
                work.wait_until_back(
                    work.controller.limits.back_within_s, stage="Waiting for the device", ready=lambda: bool(work.facts())
                )


class _Tidy(StepCode):
    repeatable: ClassVar[bool] = True  # deleting what is not there is what was wanted

    def check(self, work: Work) -> Check:
        found = work.session().invoke("Test-Path", LiteralPath=work.parameters["target"]).output
        return Check(Verdict.NOT_SO if found == [True] else Verdict.SO, "the copy is gone")

    def act(self, work: Work) -> Done:
        target = work.parameters["target"]
        try:
            work.sender.invoke("Remove-Item", LiteralPath=target, Force=True, timeout_s=work.step.max_run_s)
        except CmdletFailed as error:
            return Done(Outcome.OK, f"{target} could not be deleted ({error.message}); delete it by hand")
        return Done(Outcome.CHANGED, f"{target} is deleted")


CODE: Mapping[str, StepCode] = {PUSH: _Push(), TIDY: _Tidy()}
