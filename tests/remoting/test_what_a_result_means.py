"""Which error a result stands for: what a role refuses is not what a permitted command lacks."""

from __future__ import annotations

import pytest

from akslite_ps.errors import CmdletFailed, NotPermitted
from akslite_ps.remoting.records import ErrorRecord
from akslite_ps.remoting.result import InvocationState, Result, failure


def failed(missing: str, command: str, *, restricted: bool) -> Exception | None:
    record = ErrorRecord(
        f"The term '{missing}' is not recognized as the name of a cmdlet, function, script file, or operable program.",
        error_id="CommandNotFoundException",
        category="ObjectNotFound",
        terminating=True,
    )
    result = Result(InvocationState.FAILED, errors=[record])
    return failure(result, device="press-01", command=command, check=True, is_restricted=lambda: restricted)


@pytest.mark.parametrize("missing", ["Remove-AksEdgeNode", "remove-aksedgenode", "AksEdge\\Remove-AksEdgeNode"])
def test_a_command_that_a_restricted_session_does_not_have_is_refused(missing: str) -> None:
    assert isinstance(failed(missing, "Remove-AksEdgeNode", restricted=True), NotPermitted)
    assert isinstance(failed(missing, "Get-AksEdgeNodeName | Remove-AksEdgeNode", restricted=True), NotPermitted)
    assert isinstance(failed(missing, "Remove-AksEdgeNode", restricted=False), CmdletFailed)


@pytest.mark.parametrize("missing", ["az", "hcsdiag", "Get-HnsNetwork"])
def test_what_a_permitted_command_lacks_is_its_failure(missing: str) -> None:
    """Connect-AksEdgeArc without the Azure CLI: no role would help."""
    error = failed(missing, "Connect-AksEdgeArc", restricted=True)
    assert isinstance(error, CmdletFailed)
    assert f"'{missing}'" in str(error)
