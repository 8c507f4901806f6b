"""What the code behind a step looks like: check, act, verify.

``operations.prepare``, ``install``, ``deploy`` and ``verify`` implement it; ``operations.engine`` calls it. A step's
code keeps nothing between calls: everything it needs is in the step's parameters, the plan's config and the device,
so that another process can go on with it.
"""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from akslite_ps.outcome import Outcome

if TYPE_CHECKING:
    from akslite_ps.operations.work import Work


class Verdict(enum.Enum):
    """Whether the device already is as a step wants it."""

    SO = "so"
    NOT_SO = "not so"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True, slots=True)
class Check:
    """What reading the device back says.

    Args:
        verdict: The judgement.
        detail: One sentence for people.
        evidence: What was read, JSON-ready.
        next_action: What a person should do where it is not so after an attempt; empty: resume the run.
    """

    verdict: Verdict
    detail: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    next_action: str = ""


@dataclass(frozen=True, slots=True)
class Done:
    """What acting, or verifying, came to; fields as in :class:`akslite_ps.operations.plan.StepResult`."""

    outcome: Outcome
    detail: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)


class StepCode(ABC):
    """The code of one kind of step.

    ``repeatable`` is True where acting only reads, or the product defines it as safe to repeat: then an attempt whose
    end is unknown is simply made again. Everything else is settled by :meth:`settle`.
    """

    repeatable: ClassVar[bool] = False

    def check(self, work: Work) -> Check:
        """Is it already so? Only reads. Default for steps that are there to look: always look."""
        return Check(Verdict.NOT_SO)

    @abstractmethod
    def act(self, work: Work) -> Done:
        """Do it: at most one invocation through ``work.sender``.

        Raises:
            AksLiteError: It failed; the message says why.
        """

    def verify(self, work: Work, done: Done) -> Done:
        """Read the device back.

        Args:
            work: The step's surroundings.
            done: What :meth:`act` came to, or CHANGED where its end was missed and the device shows that it worked.

        Raises:
            StepFailed: The device is not as it should be.
        """
        return done

    def settle(self, work: Work) -> Check:
        """Decide about an earlier attempt whose end was missed. Only reads. Default: :meth:`check`."""
        return self.check(work)
