"""One cluster, reached through the official Kubernetes client.

Used by ``operations.verify``, the command line and the runbooks. Certificates and keys of a kubeconfig stay in
memory; the only file made for them (Python's TLS takes keys from files only) is encrypted with a password that
exists in memory, and is removed at once.
"""

from __future__ import annotations

import json
import secrets
import ssl
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from akslite_ps.cluster.health import NodeHealth, PodHealth, node_health, pod_health
from akslite_ps.cluster.kubeconfig import KubeContext, read_kubeconfig
from akslite_ps.cluster.official import load_official_client
from akslite_ps.cluster.reading import ClusterReading
from akslite_ps.errors import AksLiteError, AuthenticationFailed, NotPermitted, Unreachable, UsageError

if TYPE_CHECKING:
    from kubernetes.client import ApiClient, CoreV1Api

_PAGE = 500
_FETCH = "fetch a new kubeconfig with: akslite kubeconfig DEVICE -o FILE"


class Cluster(ClusterReading):
    """A client of one cluster; keeps its connection, so keep the object. A context manager.

    Args:
        context: Where the API server is and how to authenticate.
        device: Name of the device, for messages.
        timeout_s: Seconds to wait for a connection, and for each answer.
    """

    def __init__(self, context: KubeContext, *, device: str | None = None, timeout_s: float = 10.0) -> None:
        self.device = device
        self.server = context.server
        self._timeout_s = timeout_s
        self._client = _api_client(context)

    @classmethod
    def from_kubeconfig(
        cls,
        text: str,
        *,
        server: str | None = None,
        tls_server_name: str | None = None,
        context: str | None = None,
        device: str | None = None,
        timeout_s: float = 10.0,
    ) -> Cluster:
        """Make a client from the text of a kubeconfig; nothing is sent yet.

        Args:
            text: The kubeconfig with embedded certificates or token.
            server: Reach the API server here instead, e.g. through a port proxy of the Windows host. The
                certificate must still be the one of the kubeconfig's own server, unless ``tls_server_name`` says otherwise.
            tls_server_name: Name to expect in the server's certificate.
            context: Context of the kubeconfig; default: the current one.
            device: Name of the device, for messages.
            timeout_s: Seconds to wait for a connection, and for each answer.

        Raises:
            UsageError: The text is no usable kubeconfig.
        """
        chosen = read_kubeconfig(text, context=context, source=f"the kubeconfig of {device}" if device else "the kubeconfig")
        expected = tls_server_name or chosen.tls_server_name
        if server is not None:
            expected = expected or urlsplit(chosen.server).hostname
        return cls(
            KubeContext(
                name=chosen.name,
                server=(server or chosen.server).rstrip("/"),
                namespace=chosen.namespace,
                ca=chosen.ca,
                tls_server_name=expected,
                certificate=chosen.certificate,
                key=chosen.key,
                token=chosen.token,
            ),
            device=device,
            timeout_s=timeout_s,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Cluster({self.server!r})"

    def close(self) -> None:
        """Close the connections."""
        self._client.rest_client.close()

    @property
    def api(self) -> ApiClient:
        """The official client, for what this class does not offer; its errors are the official client's own."""
        return self._client

    def version(self) -> str:
        """The API server's version, e.g. ``v1.33.5+k3s1``."""
        from kubernetes.client import VersionApi

        with self._asking("read the version of the API server"):
            return str(VersionApi(self._client).get_code(_request_timeout=self._timeouts).git_version)

    def nodes(self) -> list[NodeHealth]:
        """All nodes, by name."""
        with self._asking("list the nodes"):
            found = [node_health(node) for node in self._pages(self._core.list_node)]
        return sorted(found, key=lambda node: node.name)

    def pods(self, namespace: str | None = None) -> list[PodHealth]:
        """The pods of one namespace, or of all, by namespace and name."""
        with self._asking("list the pods"):
            if namespace is None:
                found = [pod_health(pod) for pod in self._pages(self._core.list_pod_for_all_namespaces)]
            else:
                found = [pod_health(pod) for pod in self._pages(self._core.list_namespaced_pod, namespace=namespace)]
        return sorted(found, key=lambda pod: (pod.namespace, pod.name))

    def get_json(self, path: str, **query: str) -> dict[str, Any]:
        """Read one path of the API, such as ``/apis``; for kinds that this class does not know.

        Raises:
            AksLiteError: It is refused, or not there.
        """
        with self._asking(f"read {path}"):
            return self._call("GET", path, query)

    def apply_json(self, path: str, data: Mapping[str, Any], *, manager: str, force: bool = False) -> dict[str, Any]:
        """Apply an object on the server side: made where it is missing, changed where it differs.

        Args:
            path: The object's path.
            data: The object.
            manager: In whose name the fields are owned.
            force: Take over fields that others own.

        Raises:
            AksLiteError: It is refused; 409 where others own fields of it.
        """
        query = {"fieldManager": manager, "force": "true" if force else "false"}
        with self._asking(f"apply {path}"):
            return self._call("PATCH", path, query, data)

    def _call(self, method: str, path: str, query: Mapping[str, str], data: Mapping[str, Any] | None = None) -> dict[str, Any]:
        from kubernetes.client.exceptions import ApiException

        headers: dict[str, str | None] = {"Accept": "application/json"}
        if data is not None:
            headers["Content-Type"] = "application/apply-patch+yaml"  # which JSON is, too
        request = self._client.param_serialize(
            method,
            path,
            query_params=list(query.items()),
            header_params=headers,
            body=json.dumps(data) if data is not None else None,
            auth_settings=["BearerToken"],
        )
        response = self._client.call_api(*request, _request_timeout=self._timeouts)
        content: bytes = response.read() or b""  # type: ignore[no-untyped-call]
        text = content.decode("utf-8", errors="replace")
        if not 200 <= response.status <= 299:
            raise ApiException.from_response(http_resp=response, body=text, data=None)
        answer = json.loads(text)
        if not isinstance(answer, dict):
            raise ValueError("no object")
        return answer

    @property
    def _core(self) -> CoreV1Api:
        from kubernetes.client import CoreV1Api

        return CoreV1Api(self._client)

    @property
    def _timeouts(self) -> tuple[float, float]:
        return (self._timeout_s, self._timeout_s)

    def _pages(self, list_call: Callable[..., Any], **where: str) -> Iterator[Any]:
        token: str | None = None
        while True:
            page = list_call(limit=_PAGE, _continue=token, _request_timeout=self._timeouts, **where)
            yield from page.items
            token = page.metadata.var_continue if page.metadata else None
            if not token:
                return

    @contextmanager
    def _asking(self, attempted: str) -> Iterator[None]:
        import pydantic
        import urllib3.exceptions
        from kubernetes.client.exceptions import ApiException

        try:
            yield
        except ApiException as error:
            raise self._refusal(error, attempted) from None
        except urllib3.exceptions.HTTPError as error:
            raise self._no_answer(error, attempted) from None
        except (pydantic.ValidationError, ValueError) as error:
            raise AksLiteError(
                f"what {self.server} answers is not a Kubernetes API answer: {type(error).__name__}",
                device=self.device,
                attempted=attempted,
                next_action="check that the address is the cluster's API server",
            ) from None

    def _refusal(self, error: Any, attempted: str) -> AksLiteError:
        status, reason = error.status, str(error.reason)
        if not status:
            return self._untrusted(reason, attempted)
        if status == 401:
            return AuthenticationFailed(
                f"the API server {self.server} does not accept the kubeconfig's credentials",
                device=self.device,
                attempted=attempted,
                next_action=f"the cluster may have been deployed again: {_FETCH}",
            )
        if status == 403:
            return NotPermitted(
                f"the API server {self.server} forbids it for the kubeconfig's user",
                device=self.device,
                attempted=attempted,
                next_action="use the administrator's kubeconfig of the cluster",
            )
        if status >= 500:
            return Unreachable(
                f"the API server {self.server} answers {status} {reason}",
                device=self.device,
                attempted=attempted,
                next_action="it may be starting: try again in a minute",
            )
        return AksLiteError(
            f"the API server {self.server} answers {status} {reason}" + _said(error.body),
            device=self.device,
            attempted=attempted,
            next_action="check that the address is the cluster's API server",
        )

    def _untrusted(self, reason: str, attempted: str) -> Unreachable:
        return Unreachable(
            f"the certificate of the API server {self.server} is not trusted: {_last_line(reason)}",
            device=self.device,
            attempted=attempted,
            next_action="the cluster may have been deployed again: fetch a new kubeconfig; check also the clock of this machine",
        )

    def _no_answer(self, error: Exception, attempted: str) -> Unreachable:
        import urllib3.exceptions

        reason = getattr(error, "reason", None) or error
        if isinstance(reason, urllib3.exceptions.SSLError):
            return self._untrusted(str(reason), attempted)
        return Unreachable(
            f"the API server {self.server} does not answer: {_plain(reason)}",
            device=self.device,
            attempted=attempted,
            next_action="check that the device runs and that its port can be reached from here: akslite status DEVICE",
        )


def _api_client(context: KubeContext) -> ApiClient:
    load_official_client()
    import urllib3
    from kubernetes.client import ApiClient, Configuration

    configuration = Configuration(host=context.server)
    configuration.tls_server_name = context.tls_server_name
    configuration.retries = urllib3.Retry(total=1, connect=0, read=1, redirect=0, status=0, other=0)
    if context.ca:
        configuration.ca_cert_data = context.ca
    if context.token:
        configuration.api_key["BearerToken"] = f"Bearer {context.token}"
    client = ApiClient(configuration)
    if context.certificate:
        client.rest_client.pool_manager.connection_pool_kw["ssl_context"] = _tls(context)
    return client


def _tls(context: KubeContext) -> ssl.SSLContext:
    from cryptography.hazmat.primitives import serialization

    tls = ssl.create_default_context(cadata=context.ca or None)
    password = secrets.token_bytes(24)
    try:
        key = serialization.load_pem_private_key(context.key.encode(), password=None)
        sealed = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(password)
        )
        with tempfile.TemporaryDirectory(prefix="akslite-") as folder:
            pair = Path(folder) / "client.pem"
            pair.write_bytes(context.certificate.encode() + b"\n" + sealed)
            tls.load_cert_chain(pair, password=password)
    except (ValueError, TypeError, ssl.SSLError):
        raise UsageError(
            "the kubeconfig cannot be used: its client certificate and key do not fit together",
            next_action=_FETCH,
        ) from None
    return tls


def _said(body: object) -> str:
    """What a refused request's answer says in words."""
    try:
        message = json.loads(str(body)).get("message")
    except (ValueError, AttributeError):
        return ""
    return f": {message}" if message else ""


def _plain(reason: object) -> str:
    text = str(reason)
    return text.rpartition(": ")[2] if "HTTPSConnection" in text or "HTTPConnection" in text else text


def _last_line(text: str) -> str:
    return text.strip().splitlines()[-1] if text.strip() else "no reason was given"
