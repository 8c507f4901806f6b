"""What a sandbox keeps of a cluster beside its objects: who may join it and where it answers. With its file.

Used by ``device.served_cluster`` and ``device.site``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from akslite_ps.sandbox.device.state import Distribution, Moment
from akslite_ps.sandbox.device.store import damaged, write_whole

_FILE_VERSION = 2


class JoinToken(BaseModel):
    """What New-AksEdgeScaleConfig hands out, as the cluster remembers it.

    Args:
        value: ClusterJoinToken.
        certificate_key: CertificateKey of K8s, None for K3s.
        issued_at: By the cluster's clock.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    value: str
    certificate_key: str | None = None
    issued_at: Moment


class ClusterRecord(BaseModel):
    """A cluster.

    Args:
        cluster_id: Its identity (ClusterId of join configs).
        name: Its name, in Azure too.
        distribution: K3s or K8s.
        control_plane_address: ControlPlaneEndpointIp, by which machines find it; None where no machine can join.
        endpoint_address: At which its Kubernetes API answers: that of the machine that it began on.
        exposed_on: The address outside 127.0.0.0/8 that was confirmed for that machine.
        endpoint_port: And the port; 0 lets the system choose once.
        join_token: The one token that is good.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    cluster_id: str
    name: str
    distribution: Distribution
    control_plane_address: str | None = None
    endpoint_address: str
    exposed_on: str | None = None
    endpoint_port: int = 0
    join_token: JoinToken | None = None


class ClusterFile:
    """The file of one cluster. Holds keys and tokens, as a node's own disk does.

    Args:
        path: Its place; made at the first :meth:`save`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def exists(self) -> bool:
        return self._path.is_file()

    def load(self) -> tuple[ClusterRecord | None, dict[str, Any]]:
        """The record, None in a file from before there was one, and the snapshot of the objects.

        Raises:
            AksLiteError: The file is not one of ours.
        """
        try:
            data = json.loads(self._path.read_bytes())
            if "objects" in data:
                return None, data
            return ClusterRecord.model_validate(data["record"]), data["snapshot"]
        except (OSError, ValueError, KeyError, TypeError, ValidationError):
            raise damaged(self._path) from None

    def save(self, record: ClusterRecord, snapshot: dict[str, Any]) -> None:
        """Write both; a reader sees the old file or the new one, never half."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        data = {"version": _FILE_VERSION, "record": record.model_dump(mode="json"), "snapshot": snapshot}
        write_whole(self._path, json.dumps(data, separators=(",", ":")).encode())

    def remove(self) -> None:
        """Forget the cluster."""
        self._path.unlink(missing_ok=True)
