"""The deployment config: what New-AksEdgeDeployment, Add-AksEdgeNode and Connect-AksEdgeArc take as JSON.

Loaded from files that people and the product write, validated here, carried through plan and journal with
secrets as references, and turned into the device's JSON at send time. Sends nothing itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import PrivateAttr, ValidationError

from akslite_ps.aksedge.config.advice import ADVICE_RULES
from akslite_ps.aksedge.config.differences import Difference, differences
from akslite_ps.aksedge.config.fields import DeploymentType, FieldSpec, setting
from akslite_ps.aksedge.config.files import NEXT_ACTION, text_of
from akslite_ps.aksedge.config.json_schema import schema_for_editors
from akslite_ps.aksedge.config.machines import LinuxNode, Machine, WindowsNode
from akslite_ps.aksedge.config.preview import carry_over
from akslite_ps.aksedge.config.reading import EDITORS_KEY, Reader, Shown, decode, is_preview_layout, read_json, taken_out
from akslite_ps.aksedge.config.rules import FAULT_RULES, apply_rules
from akslite_ps.aksedge.config.secret_values import HeldSecret, Secret
from akslite_ps.aksedge.config.sections import Arc, Init, Join, Network, User
from akslite_ps.aksedge.config.tree import all_specs, leaves, put, spec_for, to_tree, value_issues
from akslite_ps.aksedge.config.value_types import SchemaVersion, Section, choice
from akslite_ps.aksedge.releases import FIRST_SCHEMA, LATEST_SCHEMA, Distribution
from akslite_ps.aksedge.versions import compare
from akslite_ps.errors import ConfigError, ConfigIssue, SecretUnavailable, UsageError
from akslite_ps.secrets import REDACTED, SecretRef

NodeType = Literal["Linux", "Windows", "LinuxAndWindows"]


class DeploymentConfig(Section):
    """One deployment config, frozen. Attributes are Python's names, an absent field reads as the product's default.

    What parsing checks: that the text is one JSON object, that every field is known and has a usable value.
    What :meth:`check` adds: rules between fields, and with the schema, the distribution and the release.
    """

    schema_version: SchemaVersion = setting(
        "SchemaVersion",
        "Schema version",
        "Version of the config's layout; compared as a version, so 1.10 is newer than 1.9.",
        kind="version",
        required_field=True,
        allowed=f'a text from "{FIRST_SCHEMA}" to "{LATEST_SCHEMA}"',
        group="Deployment",
        required="always",
        advanced=True,
        note="It must be known to the installed product; templates and samples of different age carry different ones.",
    )
    version: Literal["1.0"] = setting(
        "Version",
        "Version",
        "Version of this config.",
        kind="choice",
        required_field=True,
        allowed='"1.0"',
        product_default="1.0",
        group="Deployment",
        required="always",
        advanced=True,
    )
    deployment_type: Annotated[DeploymentType, choice(DeploymentType)] = setting(
        "DeploymentType",
        "Deployment type",
        "A single machine on an internal switch, or a cluster that can grow to more machines on an external switch.",
        kind="choice",
        required_field=True,
        allowed="SingleMachineCluster or ScalableCluster",
        product_default="SingleMachineCluster",
        group="Deployment",
        required="always",
        note="CapiCluster appears in the schema diagram and is reserved.",
    )
    aio_deploy: bool | None = setting(
        "AioDeploy",
        "Azure IoT Operations",
        "Marks deployments for Azure IoT Operations.",
        kind="boolean",
        since="1.16",
        group="Deployment",
        distributions=("K3s",),
        advanced=True,
        note="In no published table; it came into the sample and went again. Tolerated, not supported.",
    )
    init: Init = setting("Init", "Cluster", "What the cluster starts with.", kind="section", factory=Init, group="Cluster")
    join: Join | None = setting(
        "Join", "Join", "How to join an existing cluster.", kind="section", group="Join", only_in="ScalableCluster", advanced=True
    )
    arc: Arc = setting(
        "Arc", "Azure Arc", "The connection to Azure Arc.", kind="section", factory=Arc, group="Azure Arc", fixed=False
    )
    network: Network = setting(
        "Network", "Network", "Addresses, names and the way out.", kind="section", factory=Network, group="Network"
    )
    user: User = setting("User", "Terms", "Licence terms and telemetry.", kind="section", factory=User, group="Terms", fixed=False)
    machines: tuple[Machine, ...] = setting(
        "Machines",
        "Machines",
        "The local machine and its nodes; every other machine has a config of its own.",
        kind="list",
        required_field=True,
        allowed="a list with one object, the local machine",
        group="Machine",
        required="always",
        min_length=1,
    )

    _source: str = PrivateAttr(default="the config")

    # -- reading ------------------------------------------------------------------------------------------

    def __eq__(self, other: object) -> bool:
        """Whether it says the same; where it was read from is no part of that."""
        if not isinstance(other, DeploymentConfig):
            return NotImplemented
        return self.__dict__ == other.__dict__ and self.model_fields_set == other.model_fields_set

    def __hash__(self) -> int:
        return hash(tuple(self.__dict__.values()))

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read a config file: UTF-8, or UTF-16 with a byte-order mark as PowerShell writes it.

        A secret that stands in the file as a literal stays there: the config refers to it by file and field.

        Raises:
            UsageError: The file cannot be read.
            ConfigError: With every fault found.
        """
        file = Path(path)
        text, refer_to = text_of(file)
        return cls._parse(text, source=str(file), file=refer_to)

    @classmethod
    def parse(cls, config: str | bytes | Mapping[str, Any], *, source: str = "the config") -> Self:
        """Read a config from JSON text or from data.

        A secret given as a literal here has no file to refer to: it is held in memory, see :meth:`as_data`.

        Args:
            config: JSON text, its bytes, or the same as mappings and lists.
            source: What messages call it.

        Raises:
            ConfigError: With every fault found.
        """
        return cls._parse(_decoded(config, source) if isinstance(config, bytes) else config, source=source, file=None)

    @classmethod
    def _parse(cls, config: str | Mapping[str, Any], *, source: str, file: str | None) -> Self:
        data: Any = config
        if isinstance(config, str):
            data, issues = read_json(config)
            if issues:
                raise ConfigError(issues, source=source, next_action=NEXT_ACTION)
        if is_preview_layout(data):
            raise _preview(source)
        reader = Reader(cls, file=file)
        tree = reader.read(data)
        if tree is None:
            raise ConfigError(reader.issues, source=source, next_action=NEXT_ACTION)
        issues = list(reader.issues)
        try:
            made = cls.model_validate(tree)
        except ValidationError as error:
            issues += value_issues(error, cls, already={issue.path for issue in issues})
        if issues:
            raise ConfigError(issues, source=source, next_action=NEXT_ACTION)
        made._source = source
        return made

    @classmethod
    def migrate(cls, path: Path | str, *, schema_version: str = LATEST_SCHEMA) -> tuple[Self, tuple[str, ...]]:
        """Read a config file of any layout, the 2022 preview's too, as one of today's.

        Args:
            path: The file.
            schema_version: The schema of the result, e.g. ``1.15``; a config is never taken to an older one.

        Returns:
            The config, and notes: what was changed or left out, and why.

        Raises:
            UsageError: The file cannot be read, or ``schema_version`` is older than the file's.
            ConfigError: With every fault found.
        """
        file = Path(path)
        text, refer_to = text_of(file)
        return cls.migrate_text(text, source=str(file), refer_to=refer_to, schema_version=schema_version)

    @classmethod
    def migrate_text(
        cls, text: str | bytes, *, source: str, refer_to: str | None = None, schema_version: str = LATEST_SCHEMA
    ) -> tuple[Self, tuple[str, ...]]:
        """The same of a text that was read already; ``refer_to`` is the file that its secrets stand in, None to hold them."""
        data, issues = read_json(_decoded(text, source))
        if issues:
            raise ConfigError(issues, source=source, next_action=NEXT_ACTION)
        return cls.migrate_data(data, source=source, refer_to=refer_to, schema_version=schema_version)

    @classmethod
    def migrate_data(
        cls, data: Any, *, source: str, refer_to: str | None = None, schema_version: str = LATEST_SCHEMA
    ) -> tuple[Self, tuple[str, ...]]:
        """The same of data that was read already; ``refer_to`` is the file that its secrets stand in, None to hold them.

        Raises:
            UsageError: ``schema_version`` is older than the data's.
            ConfigError: With every fault found.
        """
        if is_preview_layout(data):
            carried = carry_over(taken_out(data, EDITORS_KEY)[1], schema_version=schema_version)
            if carried.issues:
                raise ConfigError(carried.issues, source=source, next_action=NEXT_ACTION)
            return cls._parse(carried.data, source=source, file=None), carried.notes
        config = cls._parse(data, source=source, file=refer_to)
        if compare(schema_version, config.schema_version) < 0:
            raise UsageError(
                f"{source} has schema {config.schema_version}, newer than {schema_version}",
                next_action="fields of a newer schema are not known to an older product; write a config for it anew",
            )
        if schema_version == config.schema_version:
            return config, ()
        note = f"SchemaVersion: {config.schema_version} became {schema_version}"
        return config.with_values({"SchemaVersion": schema_version}), (note,)

    @classmethod
    def template(
        cls,
        deployment_type: DeploymentType = "SingleMachineCluster",
        distribution: Distribution = "K3s",
        *,
        node_type: NodeType = "Linux",
        schema_version: str = LATEST_SCHEMA,
    ) -> Self:
        """A config to start from, in the sizes of Microsoft's sample. What only a person can know is left out.

        The licence terms are not accepted, and optional telemetry is off.
        """
        machine: dict[str, Any] = {}
        if node_type != "Windows":
            machine["LinuxNode"] = {"CpuCount": 4, "MemoryInMB": 4096, "DataSizeInGB": 20}
        if node_type != "Linux":
            machine["WindowsNode"] = {"CpuCount": 2, "MemoryInMB": 4096}
        network: dict[str, Any] = {"NetworkPlugin": "flannel" if distribution == "K3s" else "calico", "InternetDisabled": False}
        if deployment_type == "ScalableCluster":
            network["Ip4PrefixLength"] = 24
        return cls.parse(
            {
                "SchemaVersion": schema_version,
                "Version": "1.0",
                "DeploymentType": deployment_type,
                "Init": {"ServiceIPRangeSize": 10},
                "Network": network,
                "User": {"AcceptEula": False, "AcceptOptionalTelemetry": False},
                "Machines": [machine],
            },
            source="the template",
        )

    # -- rules --------------------------------------------------------------------------------------------

    def check(self, *, distribution: str | None = None, release: str | None = None) -> list[ConfigIssue]:
        """The faults between fields, and against what is installed.

        Args:
            distribution: The distribution of the device's product; rules about it run only where it is given.
            release: The device's product version, e.g. ``1.12.269.0``; likewise.
        """
        return apply_rules(FAULT_RULES, self, distribution=distribution, release=release)

    def advice(self, *, distribution: str | None = None, release: str | None = None) -> list[ConfigIssue]:
        """What the product takes and a person should know before: previews, small disks, settings without effect."""
        return apply_rules(ADVICE_RULES, self, distribution=distribution, release=release)

    def require_valid(self, *, distribution: str | None = None, release: str | None = None, device: str | None = None) -> None:
        """Raise what :meth:`check` finds.

        Raises:
            ConfigError: With every fault.
        """
        if issues := self.check(distribution=distribution, release=release):
            raise ConfigError(issues, source=self._source, device=device, next_action=NEXT_ACTION)

    # -- values -------------------------------------------------------------------------------------------

    @property
    def source(self) -> str:
        """Where it was read from, for messages."""
        return self._source

    @property
    def machine(self) -> Machine:
        """The local machine."""
        return self.machines[0]

    @property
    def nodes(self) -> tuple[LinuxNode | WindowsNode, ...]:
        """The nodes asked for on the local machine."""
        return tuple(node for node in (self.machine.linux_node, self.machine.windows_node) if node is not None)

    @property
    def is_join(self) -> bool:
        """True where deploying it joins an existing cluster."""
        return self.join is not None

    def values(self) -> dict[str, Any]:
        """Every value that is set, by its path in the product's spelling; secrets as they are held."""
        return dict(leaves(self))

    def secrets(self) -> dict[str, Secret]:
        """The secrets that are set, by path."""
        return {path: value for path, value in self.values().items() if isinstance(value, SecretRef | HeldSecret)}

    def with_values(self, values: Mapping[str, Any]) -> Self:
        """A config with some values changed.

        Args:
            values: By path, e.g. ``{"Network.InternetDisabled": True, "Machines[0].LinuxNode.CpuCount": 4}``; case
                does not matter, None takes a value out. A section's path takes a mapping.

        Raises:
            ConfigError: A path is unknown or a value not allowed.
        """
        tree = to_tree(self, lambda path, secret: secret)
        issues = [issue for path, value in values.items() if (issue := put(type(self), tree, path, value))]
        if issues:
            raise ConfigError(issues, source=self._source, next_action="use paths as the config file spells them")
        return self._parse(tree, source=self._source, file=None)

    # -- writing ------------------------------------------------------------------------------------------

    def as_data(self) -> dict[str, Any]:
        """The config as JSON-ready data with secrets as references; ``parse`` reads it back.

        Raises:
            SecretUnavailable: A secret was given as a literal without a file, so that there is nothing to refer to.
        """
        return to_tree(self, _refer)

    def to_json(self, *, resolve: bool = False, eula_accepted: bool = False, ask: Callable[[str], str] | None = None) -> str:
        """The JSON text for ``-JsonConfigString``.

        Args:
            resolve: True to put the secrets in, for the device only. False writes references, or a mark where a
                secret is held in memory.
            eula_accepted: Whether a person accepted the licence terms; what the file said counts for nothing.
            ask: Answers ``prompt:`` references.

        Raises:
            SecretUnavailable: A reference leads nowhere.
        """
        tree = to_tree(self, lambda path, secret: secret.resolve(ask=ask) if resolve else str(secret))
        tree.setdefault("User", {})["AcceptEula"] = eula_accepted
        return json.dumps(tree, indent=2)

    # -- knowledge ----------------------------------------------------------------------------------------

    @classmethod
    def fields(cls) -> tuple[FieldSpec, ...]:
        """Every field, in order; sections are left out."""
        return tuple(spec for spec in all_specs(cls) if spec.kind != "section")

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """The config's JSON Schema (draft 2020-12), for editors: types, shapes, choices, limits, descriptions, most rules.

        What it cannot express, such as that addresses differ, :meth:`check` has alone. Names are in the product's spelling, to
        which an editor holds a writer; the product itself ignores their case.
        """
        return schema_for_editors(cls)

    def differences(self, other: Self) -> tuple[Difference, ...]:
        """The fields in which another config differs from this one, in the order of the fields.

        An absent field counts as the product's default. Secrets are compared as references.
        """
        return differences(self, other)

    @classmethod
    def explain(cls, path: str) -> FieldSpec:
        """What is known of a field or section. Case and list positions do not matter; a last name alone is enough where unique.

        Raises:
            UsageError: There is no such field.
        """
        return spec_for(cls, path)


def _decoded(text: str | bytes, source: str) -> str:
    if isinstance(text, str):
        return text
    found, _, issues = decode(text)
    if found is None:
        raise ConfigError(issues, source=source, next_action=NEXT_ACTION)
    return found


def _preview(source: str) -> ConfigError:
    issue = ConfigIssue(
        "SchemaVersion",
        Shown("the layout of the 2022 preview (schema 1.0 or 1.1)"),
        f"schema {FIRST_SCHEMA} to {LATEST_SCHEMA}",
        "today's product does not take it: DeployOptions, EndUser, LinuxVm and WindowsVm have other names and places now",
    )
    return ConfigError([issue], source=source, next_action="carry it over: akslite config migrate FILE")


def _refer(path: str, secret: Secret) -> str:
    if isinstance(secret, HeldSecret):
        raise SecretUnavailable(
            f"{path} is {REDACTED}, held in memory only, and so cannot be written into a plan or a journal",
            next_action="give it as a reference, such as env:NAME or keyring:SERVICE/USER",
        )
    return str(secret)
