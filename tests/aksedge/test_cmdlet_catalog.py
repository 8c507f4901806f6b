from __future__ import annotations

import subprocess
import sys

import pytest

from akslite_ps.aksedge import load_catalog, load_ops_catalog

SUPERSEDED = {"Set-AksEdgeArcConnection", "Export-AksEdgeWorkerNodeConfig", "New-AksEdgeDeploymentConfig"}
READ_ONLY_RISK = {
    "Get-AksEdgeDeploymentInfo",
    "Get-AksEdgeEventLog",
    "Get-AksEdgeNodeAddr",
    "Get-AksEdgeNodeConnectivityMode",
    "Get-AksEdgeNodeName",
    "Get-AksEdgeUpgrade",
    "Test-AksEdgeArcConnection",
    "Test-AksEdgeDeployment",
    "Test-AksEdgeNetworkParameters",
    "Test-AksEdgeNode",
}


def test_it_has_the_33_current_cmdlets_and_flags_the_others() -> None:
    catalog = load_catalog()
    assert len(catalog.current) == 33
    assert {spec.name for spec in catalog.cmdlets if spec.status == "superseded"} == SUPERSEDED
    assert catalog["Set-AksEdgeBillingPodState"].status == "internal"


def test_a_superseded_cmdlet_names_its_successor() -> None:
    catalog = load_catalog()
    for name in SUPERSEDED:
        successor = catalog[name].superseded_by
        assert successor is not None
        assert catalog[successor].status == "current"


def test_names_are_found_in_any_case_and_mistakes_get_a_suggestion() -> None:
    catalog = load_catalog()
    assert catalog["new-aksedgedeployment"].name == "New-AksEdgeDeployment"
    assert "NEW-AKSEDGENODE" not in catalog
    assert catalog.similar("Get-AksEdgeNodeAdress") == "Get-AksEdgeNodeAddr"
    assert catalog.similar("Restart-Computer") is None


def test_parameters_are_found_by_name_and_alias_in_any_case() -> None:
    spec = load_catalog()["Get-AksEdgeKubeConfig"]
    confirm = spec.parameter("CF")
    assert confirm is not None
    assert confirm.name == "Confirm"
    assert spec.parameter("Nonsense") is None


def test_the_read_class_changes_nothing_and_matches_the_role() -> None:
    read = {spec.name for spec in load_catalog().by_risk("read")}
    assert read == READ_ONLY_RISK
    assert all(load_catalog()[name].cls == "read-only" for name in read)


def test_what_destroys_or_hands_out_power_is_its_own_class() -> None:
    catalog = load_catalog()
    assert {s.name for s in catalog.by_risk("destroy")} == {
        "Disconnect-AksEdgeArc",
        "Remove-AksEdgeDeployment",
        "Remove-AksEdgeNode",
    }
    assert {s.name for s in catalog.by_risk("power")} == {
        "Copy-AksEdgeNodeFile",
        "Get-AksEdgeKubeConfig",
        "Get-AksEdgeManagedServiceToken",
        "Invoke-AksEdgeNodeCommand",
    }


@pytest.mark.parametrize("spec", load_catalog().cmdlets, ids=lambda spec: spec.name)
def test_every_cmdlet_is_consistent_in_itself(spec) -> None:
    names = [parameter.name.casefold() for parameter in spec.parameters]
    assert len(names) == len(set(names))
    assert spec.synopsis.endswith(".")
    assert spec.default_parameter_set is None or spec.default_parameter_set in spec.parameter_sets
    for parameter in spec.parameters:
        assert set(parameter.parameter_sets) <= set(spec.parameter_sets)
        assert parameter.switch == (parameter.type == "SwitchParameter")
        assert not parameter.allowed or parameter.default is None or parameter.default in parameter.allowed
    assert all(spec.parameter(name) for name in spec.quiet)


def test_whatever_supports_confirmation_is_told_not_to_ask() -> None:
    for spec in load_catalog().current:
        if spec.supports_shouldprocess:
            assert spec.quiet in ({"Confirm": False}, {"Force": True}), spec.name


def test_secrets_among_the_outputs_are_marked() -> None:
    marked = {spec.name for spec in load_catalog().current if spec.secret_output}
    assert marked == {"Get-AksEdgeManagedServiceToken", "New-AksEdgeScaleConfig"}
    assert load_ops_catalog()["Get-AksLiteKubeConfig"].secret_output


def test_loading_it_needs_neither_pydantic_nor_remoting() -> None:
    code = (
        "import sys; from akslite_ps.aksedge import load_catalog; load_catalog(); "
        "sys.exit(any(name.partition('.')[0] in ('pydantic', 'pypsrp', 'psrpcore') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
