"""``aide-userconfig.json``, the input of Microsoft's helper module AksEdgeDeploy, turned into a deployment config of ours.

The helper's file says what to install, how to reach Azure, and holds or names the deployment config; its service principal's
password stands in it in clear text. Here that becomes a reference. As the helper does, the Azure section fills what the config's
Arc section leaves out, where there is a password. Field names as in the samples of github.com/Azure/AKS-Edge.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path, PureWindowsPath
from typing import Any, Literal, NamedTuple

from pydantic import ValidationError

from akslite_ps.aksedge.config.deployment_config import DeploymentConfig
from akslite_ps.aksedge.config.fields import setting
from akslite_ps.aksedge.config.files import NEXT_ACTION, text_of
from akslite_ps.aksedge.config.reading import DOCUMENT, NO_SUCH_FIELD, Reader, Shown, describe, member_names, read_json, taken_out
from akslite_ps.aksedge.config.secret_values import HeldSecret, Secret, SecretField
from akslite_ps.aksedge.config.tree import value_issues
from akslite_ps.aksedge.config.value_types import Guid, Section, Text
from akslite_ps.aksedge.releases import Distribution, distribution_of
from akslite_ps.errors import ConfigError, ConfigIssue, UsageError
from akslite_ps.secrets import REDACTOR, SecretRef

EMBEDDED = "AksEdgeConfig"
DEFAULT_CONFIG_FILE = "aksedge-config.json"
"""Taken by the helper where the file names no config."""


class InstallOptions(Section):
    """Folders of the installation."""

    install_path: Text | None = setting("InstallPath", "Product folder", "Where the product goes (INSTALLDIR).", kind="text")
    vhdx_path: Text | None = setting("VhdxPath", "Disk folder", "Where the nodes' disks go (VHDXDIR).", kind="text")


class VSwitch(Section):
    """The external switch of a scalable cluster."""

    name: Text | None = setting("Name", "Switch", "Name of the external switch.", kind="text")
    adapter_name: Text | None = setting("AdapterName", "Adapter", "Network adapter of the external switch.", kind="text")


class Auth(Section):
    """The service principal. ``spId`` is the name in old files."""

    service_principal_id: Guid | None = setting("ServicePrincipalId", "Application id", "Application id.", kind="guid")
    sp_id: Guid | None = setting("spId", "Application id", "Application id in files of before 2023.", kind="guid")
    password: SecretField | None = setting("Password", "Secret", "Secret of the service principal.", kind="secret")


class Azure(Section):
    """Where and as whom the device is connected to Azure."""

    cluster_name: Text | None = setting("ClusterName", "Cluster", "Name of the connected cluster.", kind="text")
    subscription_name: Text | None = setting("SubscriptionName", "Subscription", "Its name.", kind="text")
    subscription_id: Guid | None = setting("SubscriptionId", "Subscription", "Its id.", kind="guid")
    tenant_id: Guid | None = setting("TenantId", "Tenant", "Its id.", kind="guid")
    resource_group_name: Text | None = setting("ResourceGroupName", "Resource group", "Its name.", kind="text")
    service_principal_name: Text | None = setting("ServicePrincipalName", "Service principal", "Its name.", kind="text")
    location: Text | None = setting("Location", "Region", "Azure region.", kind="text")
    custom_location_oid: Guid | None = setting("CustomLocationOID", "Custom Locations", "Its object id.", kind="guid")
    auth: Auth = setting("Auth", "Credentials", "The service principal.", kind="section", factory=Auth)
    enable_workload_identity: bool | None = setting("EnableWorkloadIdentity", "Workload identity", "Whether on.", kind="boolean")
    enable_key_management: bool | None = setting("EnableKeyManagement", "Key management", "Whether on.", kind="boolean")
    gateway_resource_id: Text | None = setting("GatewayResourceId", "Arc gateway", "Its resource id.", kind="text")
    connected_machine_name: Text | None = setting("ConnectedMachineName", "Arc server", "Name of the Arc server.", kind="text")


class _UserConfig(Section):
    schema_version: Text | None = setting("SchemaVersion", "Schema", "Version of the layout.", kind="text")
    version: Text | None = setting("Version", "Version", "Version of the file.", kind="text")
    aks_edge_product: Text | None = setting(
        "AksEdgeProduct",
        "Product",
        "Which product.",
        kind="text",
        allowed="AKS Edge Essentials - K3s or AKS Edge Essentials - K8s",
    )
    aks_edge_product_url: Text | None = setting("AksEdgeProductUrl", "Installer", "Its URL, share or path.", kind="text")
    install_options: InstallOptions = setting(
        "InstallOptions", "Folders", "Folders of the installation.", kind="section", factory=InstallOptions
    )
    v_switch: VSwitch = setting("VSwitch", "Switch", "The external switch.", kind="section", factory=VSwitch)
    azure: Azure = setting("Azure", "Azure", "Where the device is connected.", kind="section", factory=Azure)
    aks_edge_config_file: Text | None = setting("AksEdgeConfigFile", "Config file", "Path of the deployment config.", kind="text")


@dataclass(frozen=True, slots=True)
class UserConfig:
    """What an ``aide-userconfig.json`` asks for.

    Args:
        config: The deployment config, in today's layout; secrets are references, or held where there is nothing to refer to.
        distribution: Of the product that it names, None where it names none.
        installer: URL, without what stands behind a question mark, share or path of the installer; None: the newest.
        install_dir, vhdx_dir: Folders on the device; None: the product's defaults.
        notes: What was filled in, changed or left out, and why.
    """

    config: DeploymentConfig
    distribution: Distribution | None = None
    installer: str | None = None
    install_dir: str | None = None
    vhdx_dir: str | None = None
    notes: tuple[str, ...] = ()

    @classmethod
    def load(cls, path: Path | str, *, config_file: Path | None = None) -> UserConfig:
        """Read a file of the helper.

        Args:
            path: The file.
            config_file: The deployment config, where it no longer lies where the file says.

        Raises:
            UsageError: A file cannot be read.
            ConfigError: With every fault found in one of the files.
        """
        file = Path(path)
        text, refer_to = text_of(file)
        data, issues = read_json(text)
        if issues:
            raise ConfigError(issues, source=str(file), next_action=NEXT_ACTION)
        read = _read(data, source=str(file), refer_to=refer_to)
        notes = list(read.notes)
        if config_file is not None or read.embedded is None:
            found = config_file or _beside(file, read.fields.aks_edge_config_file)
            config, more = DeploymentConfig.migrate(found)
            if read.embedded is not None:
                notes.append(f"{EMBEDDED}: left out; {found} was given instead")
        else:
            config, more = _embedded(read.embedded, source=str(file), refer_to=refer_to)
        notes += more
        config = _with_switch(_with_azure(config, read.fields.azure, notes), read.fields.v_switch, notes)
        installer = _without_credentials(read.fields.aks_edge_product_url, notes)
        notes.append("User.AcceptEula: a person accepts the licence terms anew, with --accept-eula")
        return cls(
            config=config,
            distribution=_distribution(read.fields, source=str(file)),
            installer=installer,
            install_dir=read.fields.install_options.install_path,
            vhdx_dir=read.fields.install_options.vhdx_path,
            notes=tuple(notes),
        )


class _Read(NamedTuple):
    fields: _UserConfig
    embedded: Any
    notes: list[str]


def is_user_config(data: Any) -> bool:
    """Whether read JSON is a file of the helper rather than a deployment config."""
    return bool(member_names(data) & {"aksedgeproduct", "aksedgeproducturl", "aksedgeconfigfile", EMBEDDED.casefold()})


def _read(data: Any, *, source: str, refer_to: str | None) -> _Read:
    if not is_user_config(data):
        issue = ConfigIssue(
            DOCUMENT,
            describe(data),
            f"an object with AksEdgeProduct, AksEdgeConfigFile or {EMBEDDED}",
            "it is no aide-userconfig.json",
        )
        raise ConfigError([issue], source=source, next_action="a deployment config itself is read as it is: akslite config check")
    embedded, rest = taken_out(data, EMBEDDED)
    reader = Reader(_UserConfig, file=refer_to)
    tree = reader.read(rest)
    notes = [f"{issue.path}: left out; it is no field of this file" for issue in reader.issues if issue.reason == NO_SUCH_FIELD]
    issues = [issue for issue in reader.issues if issue.reason != NO_SUCH_FIELD]
    if len(embedded) > 1:
        issues.append(ConfigIssue(EMBEDDED, Shown("given twice"), "one value", "which one counts cannot be told"))
    fields = _UserConfig()
    try:
        fields = _UserConfig.model_validate(tree or {})
    except ValidationError as error:
        issues += value_issues(error, _UserConfig, already={issue.path for issue in issues})
    if issues:
        raise ConfigError(issues, source=source, next_action=NEXT_ACTION)
    return _Read(fields, embedded[0] if embedded else None, notes)


def _embedded(data: Any, *, source: str, refer_to: str | None) -> tuple[DeploymentConfig, tuple[str, ...]]:
    """The config within the file; secrets in it are referred to where they stand."""
    try:
        config, notes = DeploymentConfig.migrate_data(data, source=source)
    except ConfigError as error:
        inside = [replace(issue, path=EMBEDDED if issue.path == DOCUMENT else f"{EMBEDDED}.{issue.path}") for issue in error.issues]
        raise ConfigError(inside, source=source, next_action=NEXT_ACTION) from None
    if refer_to is None or "#" in refer_to:
        return config, notes
    held = {path: f"file:{refer_to}#{EMBEDDED}.{path}" for path, value in config.secrets().items() if isinstance(value, HeldSecret)}
    return config.with_values(held) if held else config, notes


def _beside(file: Path, named: str | None) -> Path:
    """The config file that is named, as far as it lies on this machine."""
    name = named or DEFAULT_CONFIG_FILE
    places = (file.parent / name, Path(name), file.parent / PureWindowsPath(name).name)
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise UsageError(
            f"the deployment config {name} that {file} names is not on this machine", next_action="say where it is: --config FILE"
        )
    return found


def _without_credentials(installer: str | None, notes: list[str]) -> str | None:
    """The installer's address without a query, which may be a credential (a SAS token)."""
    if installer is None:
        return None
    address, question_mark, query = installer.partition("?")
    if question_mark:
        REDACTOR.add(query)
        notes.append("AksEdgeProductUrl: what stands behind its question mark is left out, it may be a credential")
    return address


def _distribution(fields: _UserConfig, *, source: str) -> Distribution | None:
    product = fields.aks_edge_product
    if product is None:
        return None
    found = distribution_of(product)
    if found is None:
        issue = ConfigIssue(
            "AksEdgeProduct", product, "AKS Edge Essentials - K3s or AKS Edge Essentials - K8s", "it names neither distribution"
        )
        raise ConfigError([issue], source=source, next_action=NEXT_ACTION)
    return found


def _with_azure(config: DeploymentConfig, azure: Azure, notes: list[str]) -> DeploymentConfig:
    """The config with what its Arc section leaves out and the Azure section has."""
    _note_without_place(azure, notes)
    offered: dict[str, str | bool | Secret | None] = {
        "ClusterName": azure.cluster_name,
        "Location": azure.location,
        "ResourceGroupName": azure.resource_group_name,
        "SubscriptionId": azure.subscription_id,
        "TenantId": azure.tenant_id,
        "ClientId": azure.auth.service_principal_id or azure.auth.sp_id,
        "ClientSecret": azure.auth.password,
        "CustomLocationsOid": azure.custom_location_oid,
        "EnableWorkloadIdentity": azure.enable_workload_identity,
    }
    given = {f"Arc.{name}": value for name, value in offered.items() if value is not None}
    if azure.auth.password is None:
        if given:
            notes.append("Azure: left out, as the helper does without Azure.Auth.Password")
        return config
    there = config.values()
    filled = {path: value for path, value in given.items() if path not in there}
    kept = [path for path, value in given.items() if path in there and str(there[path]).casefold() != str(value).casefold()]
    notes += [f"{path}: taken from the Azure section" for path in filled]
    notes += [f"{path}: the deployment config's value is kept; the Azure section has another one" for path in kept]
    return config.with_values(filled) if filled else config


def _note_without_place(azure: Azure, notes: list[str]) -> None:
    reasons = {
        "SubscriptionName": (azure.subscription_name, "the subscription's id is enough"),
        "ServicePrincipalName": (azure.service_principal_name, "the application's id is enough"),
        "EnableKeyManagement": (azure.enable_key_management, "it is for Azure IoT Operations"),
        "GatewayResourceId": (azure.gateway_resource_id, "it is for Azure IoT Operations"),
        "ConnectedMachineName": (azure.connected_machine_name, "it is for Arc-enabled servers"),
    }
    notes += [f"Azure.{name}: left out; {reason}" for name, (value, reason) in reasons.items() if value not in (None, False)]


def _with_switch(config: DeploymentConfig, switch: VSwitch, notes: list[str]) -> DeploymentConfig:
    kind: Literal["SingleMachineCluster", "ScalableCluster"] = config.deployment_type
    if kind == "SingleMachineCluster":
        if switch.name or switch.adapter_name:
            notes.append("VSwitch: left out; a single machine has an internal switch")
        return config
    if switch.name:
        notes.append("VSwitch.Name: left out; the product names its switch itself")
    path = "Machines[0].NetworkConnection.AdapterName"
    there = config.values().get(path)
    if switch.adapter_name is None or there == switch.adapter_name:
        return config
    if there is not None:
        notes.append(f"VSwitch.AdapterName: left out; the deployment config has {there}")
        return config
    notes.append(f"{path}: taken from VSwitch.AdapterName")
    return config.with_values({path: switch.adapter_name})


def moved(config: DeploymentConfig, to: SecretRef) -> tuple[DeploymentConfig, tuple[str, ...]]:
    """The config with the service principal's secret under another reference, into which it was written where that is possible.

    Args:
        config: The config.
        to: ``keyring:`` and ``file:`` are written now; ``env:`` and ``prompt:`` are for a person to set.

    Returns:
        The config, and notes on what is left to do.

    Raises:
        SecretUnavailable: The secret cannot be read, or not be written there.
    """
    secret = config.arc.client_secret
    if secret is None:
        return config, ()
    if to.can_store:
        to.store(secret.resolve())
        note = f"Arc.ClientSecret: now {to}; take it out of the old file, and renew it if others could read that"
    else:
        note = f"Arc.ClientSecret: put it where {to} is read, then take it out of the old file"
    return config.with_values({"Arc.ClientSecret": to}), (note,)
