"""Faults of the product and of the machine it runs on, as ``reference/operations.md`` section 18 reports them."""

from __future__ import annotations

from akslite_ps.sandbox.assumptions import DEPLOYMENT_SECONDS, NODE_CREATION_FAILED
from akslite_ps.sandbox.device.fault_kind import FaultKind

_DEPLOYMENT_STAGES = tuple(DEPLOYMENT_SECONDS)

KINDS: tuple[FaultKind, ...] = (
    FaultKind(
        "deployment-fails",
        "New-AksEdgeDeployment gives up at a stage and answers this text instead of OK",
        {"stage": "node-ssh", "answer": NODE_CREATION_FAILED},
        stages=_DEPLOYMENT_STAGES,
    ),
    FaultKind("reboot-during", "the device restarts without notice when a stage begins", {"stage": "kubernetes"}, times=1),
    FaultKind("msi-exit-code", "the installer ends with this exit code", {"code": 1603}),
    FaultKind("low-memory", "only so much memory is free", {"free_mb": 1024}),
    FaultKind("api-unreachable", "the Kubernetes API refuses connections from outside the device; the cluster itself runs"),
    FaultKind("slow", "everything takes this many times as long", {"factor": 4.0}),
)
