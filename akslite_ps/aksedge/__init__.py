"""What AKS Edge Essentials is: cmdlets and typed calls, deployment config, releases, known failures.

The public names load on first use. Nothing here reaches a device except through a session handed to it.
The typed calls of our device-side module are in ``akslite_ps.aksedge.ops``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from akslite_ps.lazy import lazy_names

if TYPE_CHECKING:
    from akslite_ps.aksedge.calls import AksEdge as AksEdge
    from akslite_ps.aksedge.calls import HostFeatures as HostFeatures
    from akslite_ps.aksedge.calls import NetworkCheck as NetworkCheck
    from akslite_ps.aksedge.calls import NodeAddress as NodeAddress
    from akslite_ps.aksedge.catalog import Catalog as Catalog
    from akslite_ps.aksedge.catalog import CmdletSpec as CmdletSpec
    from akslite_ps.aksedge.catalog import ParameterSpec as ParameterSpec
    from akslite_ps.aksedge.catalog import load_catalog as load_catalog
    from akslite_ps.aksedge.catalog import load_ops_catalog as load_ops_catalog
    from akslite_ps.aksedge.config import DeploymentConfig as DeploymentConfig
    from akslite_ps.aksedge.config.fields import FieldSpec as FieldSpec
    from akslite_ps.aksedge.failures import KnownFailure as KnownFailure
    from akslite_ps.aksedge.failures import known_failure as known_failure
    from akslite_ps.aksedge.host_facts import HostFacts as HostFacts
    from akslite_ps.aksedge.host_requirements import HostNeeds as HostNeeds
    from akslite_ps.aksedge.host_requirements import needs_of as needs_of
    from akslite_ps.aksedge.installer import ExitCode as ExitCode
    from akslite_ps.aksedge.installer import classify_exit_code as classify_exit_code
    from akslite_ps.aksedge.ops import MsiResult as MsiResult
    from akslite_ps.aksedge.ops import ensure_ops as ensure_ops
    from akslite_ps.aksedge.releases import RELEASES as RELEASES
    from akslite_ps.aksedge.releases import Release as Release
    from akslite_ps.aksedge.releases import latest as latest
    from akslite_ps.aksedge.releases import parse_msi_name as parse_msi_name
    from akslite_ps.aksedge.releases import schema_for as schema_for

_PLACES = {
    "AksEdge": "calls",
    "Catalog": "catalog",
    "CmdletSpec": "catalog",
    "DeploymentConfig": "config.deployment_config",
    "ExitCode": "installer",
    "FieldSpec": "config.fields",
    "HostFacts": "host_facts",
    "HostFeatures": "calls",
    "HostNeeds": "host_requirements",
    "KnownFailure": "failures",
    "MsiResult": "ops",
    "NetworkCheck": "calls",
    "NodeAddress": "calls",
    "ParameterSpec": "catalog",
    "RELEASES": "releases",
    "Release": "releases",
    "classify_exit_code": "installer",
    "ensure_ops": "ops",
    "known_failure": "failures",
    "latest": "releases",
    "load_catalog": "catalog",
    "load_ops_catalog": "catalog",
    "needs_of": "host_requirements",
    "parse_msi_name": "releases",
    "schema_for": "releases",
}

__all__ = [
    "RELEASES",
    "AksEdge",
    "Catalog",
    "CmdletSpec",
    "DeploymentConfig",
    "ExitCode",
    "FieldSpec",
    "HostFacts",
    "HostFeatures",
    "HostNeeds",
    "KnownFailure",
    "MsiResult",
    "NetworkCheck",
    "NodeAddress",
    "ParameterSpec",
    "Release",
    "classify_exit_code",
    "ensure_ops",
    "known_failure",
    "latest",
    "load_catalog",
    "load_ops_catalog",
    "needs_of",
    "parse_msi_name",
    "schema_for",
]


__getattr__, __dir__ = lazy_names(__name__, _PLACES)
