"""The cluster of a device, asked directly where that works, else read on the device over the open session.

The Kubernetes API of a single machine listens on the device's internal switch: without a port proxy on the device it
cannot be reached from elsewhere, and nothing is wrong with the cluster. Used by ``verify``, ``akslite status`` and
the notebooks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from akslite_ps.aksedge.ops import kube_config, workload
from akslite_ps.cluster.health import NodeHealth, PodHealth, Way
from akslite_ps.cluster.reading import ClusterReading, Fetch, FetchedCluster
from akslite_ps.errors import AuthenticationFailed, CmdletFailed, NotPermitted, RemotingError, Unreachable
from akslite_ps.operations.controller import OpenCluster, open_cluster

if TYPE_CHECKING:
    from akslite_ps.remoting import Session

_T = TypeVar("_T")
_ON_THE_DEVICE = "on the device"


class DeviceCluster(ClusterReading):
    """Two ways to one cluster. The way that answered is kept until it fails.

    Args:
        direct: Asks the Kubernetes API; None where this session is given no kubeconfig.
        on_device: Has it asked on the device.

    Attributes:
        why_not_direct: Why the Kubernetes API could not be asked from here, empty as long as it could.
    """

    def __init__(self, direct: ClusterReading | None, on_device: ClusterReading) -> None:
        self.device = on_device.device
        self.server = on_device.server
        self.why_not_direct = "" if direct else "the endpoint's role hands out no kubeconfig"
        self._direct = direct
        self._on_device = on_device
        self._way: Way = "api"

    @property
    def way(self) -> Way:
        return self._way

    def version(self) -> str:
        return self._ask(lambda cluster: cluster.version())

    def nodes(self) -> list[NodeHealth]:
        return self._ask(lambda cluster: cluster.nodes())

    def pods(self, namespace: str | None = None) -> list[PodHealth]:
        return self._ask(lambda cluster: cluster.pods(namespace))

    def _ask(self, question: Callable[[ClusterReading], _T]) -> _T:
        if self._way == "api" and self._direct is not None:
            try:
                answer = question(self._direct)
            except Unreachable as error:
                self.why_not_direct = error.message
            else:
                self.why_not_direct = ""
                return answer
        try:
            answer = question(self._on_device)
        except AuthenticationFailed:
            raise
        except (CmdletFailed, RemotingError) as error:
            self._way = "api"
            raise Unreachable(
                f"{self.why_not_direct}; nor could it be read on the device: {error.message}",
                device=self.device,
                attempted="read the cluster",
                next_action="see on the device whether its node runs (Test-AksEdgeNode, Start-AksEdgeNode)",
            ) from error
        self._way = "device"
        return answer


@contextmanager
def cluster_of(
    session: Session, *, open_cluster: OpenCluster = open_cluster, fetch: Fetch | None = None
) -> Iterator[DeviceCluster]:
    """The cluster of the device that a session is open on, for the time of a ``with`` block. Its kubeconfig is kept nowhere.

    Where the endpoint's role hands out no kubeconfig, the cluster is read on the device only.

    Args:
        session: An open session with our device-side functions.
        open_cluster: Makes the direct client.
        fetch: Reads on the device; default: through this session.

    Raises:
        AksLiteError: The kubeconfig cannot be read, or is not usable.
    """
    read = fetch or partial(workload, session)
    try:
        kubeconfig = kube_config(session)
    except NotPermitted:
        yield DeviceCluster(None, FetchedCluster(read, server=_ON_THE_DEVICE, device=session.device.name))
        return
    with open_cluster(session.device, kubeconfig) as direct:
        yield DeviceCluster(direct, FetchedCluster(read, server=direct.server, device=session.device.name))
