"""The cmdlets that gather evidence: event log and logs, each as a zip file on the device's drive."""

from __future__ import annotations

import re

from akslite_ps.aksedge.calls.answers import flat, lines
from akslite_ps.aksedge.calls.described import cmdlet
from akslite_ps.aksedge.calls.sending import Sender
from akslite_ps.aksedge.session_port import Answer, OnRecord

LOGS_LIMIT_S = 1800.0
_ZIP = re.compile(r"""[A-Za-z]:\\[^"'<>|*?\r\n]*?\.zip""", re.IGNORECASE)


class EvidenceCalls(Sender):
    """Log cmdlets."""

    @cmdlet("Get-AksEdgeEventLog")
    def get_event_log(
        self, output_path: str | None = None, *, timeout_s: float = LOGS_LIMIT_S, on_record: OnRecord | None = None
    ) -> str | None:
        """Have the product's event log written into a zip.

        Args:
            output_path: Folder on the device's drive; default: the product's own choice.
            timeout_s: Time limit in seconds.
            on_record: Gets each record as it arrives.

        Returns:
            Path of the zip on the device where the cmdlet told it, else None.

        Raises:
            CmdletFailed: It ended with an error.
        """
        return self._zip("Get-AksEdgeEventLog", output_path, timeout_s, on_record)

    @cmdlet("Get-AksEdgeLogs")
    def get_logs(
        self, output_path: str | None = None, *, timeout_s: float = LOGS_LIMIT_S, on_record: OnRecord | None = None
    ) -> str | None:
        """Have all logs of the host and its nodes written into a zip. Arguments and result as for :meth:`get_event_log`.

        Raises:
            CmdletFailed: It ended with an error.
        """
        return self._zip("Get-AksEdgeLogs", output_path, timeout_s, on_record)

    def _zip(self, name: str, output_path: str | None, timeout_s: float, on_record: OnRecord | None) -> str | None:
        return _path_told(self.call(name, timeout_s=timeout_s, on_record=on_record, OutputPath=output_path))


def _path_told(answer: Answer) -> str | None:
    found = [match[0] for text in (*lines(answer), *flat(answer.output)) for match in _ZIP.finditer(text)]
    return found[-1] if found else None
