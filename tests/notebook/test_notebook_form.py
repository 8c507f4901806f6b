"""The form: any pydantic model, messages at the field, and only what was set in the data."""

from __future__ import annotations

import enum
import ipaddress
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import ipywidgets
import pytest
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from akslite_ps.aksedge.config import DeploymentConfig
from akslite_ps.errors import ConfigError
from akslite_ps.notebook import Form, filled, form_for
from akslite_ps.notebook.form_controls import Row
from akslite_ps.remoting.endpoint import StoredSecretRef


class Size(enum.Enum):
    SMALL = "small"
    LARGE = "large"


class Disk(BaseModel):
    gigabytes: Annotated[int, Field(ge=1, le=10)] = 1
    label: str = ""


class Nested(BaseModel):
    name: str
    mtu: int | None = Field(default=None, ge=0, le=9000, json_schema_extra={"advanced": True, "unit": "bytes"})


class Example(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(title="Display name", description="Shown to people.")
    cores: Annotated[int, Field(ge=2, le=16)] = 4
    ratio: float = 0.5
    plugin: Literal["flannel", "calico"] = "flannel"
    size: Size = Size.SMALL
    start: Literal[2048, 4096] | None = None
    offline: bool = False
    telemetry: bool | None = None
    address: ipaddress.IPv4Address | None = None
    servers: list[ipaddress.IPv4Address] = []
    labels: dict[str, str] = {}
    password: SecretStr | None = None
    stored: StoredSecretRef | None = None
    nested: Nested | None = None
    first: Disk = Disk()
    disks: list[Disk] = []


def rows(form: Form) -> dict[str, Row]:
    return {row.path: row for row in form._root.rows()}


def type_in(form: Form, path: str, value: Any) -> Row:
    """What a front end does when a person changes a control."""
    row = rows(form)[path]
    row._control.value = value
    return row


def shown_by(widget: Any) -> str:
    """Everything that a widget and those below it hold."""
    return str(widget.get_state()) + "".join(shown_by(child) for child in getattr(widget, "children", ()))


@pytest.fixture
def form() -> Form:
    return form_for(Example, {"name": "press"})


@pytest.fixture(autouse=True)
def close_widgets() -> Iterator[None]:
    yield
    ipywidgets.Widget.close_all()


def test_only_what_was_set_is_in_the_data(form: Form) -> None:
    assert form.value == {"name": "press"}
    assert form.parse() == Example(name="press")


def test_every_kind_of_field_is_read(form: Form) -> None:
    for path, value in {
        "cores": "8",
        "ratio": "0.25",
        "plugin": "calico",
        "size": "large",
        "start": 4096,
        "offline": True,
        "telemetry": False,
        "address": "10.0.0.1",
        "servers": "10.0.0.2, 10.0.0.3",
        "labels": "site=hamburg\nline = 3",
        "password": "env:PASSWORD",
        "stored": "keyring:akslite/press",
        "first.gigabytes": "3",
    }.items():
        type_in(form, path, value)
    assert form.errors == {}
    assert form.value == {
        "name": "press",
        "cores": 8,
        "ratio": 0.25,
        "plugin": "calico",
        "size": "large",
        "start": 4096,
        "offline": True,
        "telemetry": False,
        "address": "10.0.0.1",
        "servers": ["10.0.0.2", "10.0.0.3"],
        "labels": {"site": "hamburg", "line": "3"},
        "password": "env:PASSWORD",
        "stored": "keyring:akslite/press",
        "first": {"gigabytes": 3},
    }
    made = form.parse()
    assert made.size is Size.LARGE
    assert made.address == ipaddress.IPv4Address("10.0.0.1")


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("name", "", "is needed"),
        ("cores", "1", "must be 2 to 16"),
        ("cores", "many", "must be 2 to 16"),
        ("ratio", "half", "must be a number"),
        ("address", "10.0.0.256", "not a valid IPv4 address"),
        ("servers", "10.0.0.1, x", "not a valid IPv4 address"),
        ("labels", "site", "NAME=VALUE"),
        ("first.gigabytes", "11", "must be 1 to 10"),
    ],
)
def test_a_wrong_value_is_told_at_its_field_when_it_is_changed(form: Form, path: str, value: str, message: str) -> None:
    row = type_in(form, path, value)
    assert message in row.message
    assert set(form.errors) == {path}
    assert message in row._aside.value
    with pytest.raises(ConfigError) as caught:
        form.parse()
    assert [issue.path for issue in caught.value.issues] == [path]


def test_a_message_goes_away_when_the_value_is_mended(form: Form) -> None:
    type_in(form, "cores", "1")
    row = type_in(form, "cores", "2")
    assert row.message == ""
    assert form.value["cores"] == 2


@pytest.mark.parametrize("path", ["password", "stored"])
def test_a_secret_in_plain_is_cleared_at_once_and_shown_nowhere(form: Form, path: str) -> None:
    row = type_in(form, path, "canary-3e9d")
    assert row._control.value == ""
    assert "was cleared" in row.message
    assert "env:NAME" in row.message
    assert "canary-3e9d" not in shown_by(form.widget)
    type_in(form, path, "env:SECRET")
    assert form.value[path] == "env:SECRET"


def test_an_optional_section_is_left_out_until_it_is_switched_on(form: Form) -> None:
    assert "nested.name" not in rows(form)
    form._root._parts["nested"]._switch.value = True  # type: ignore[attr-defined]
    assert "nested.name" in rows(form)
    with pytest.raises(ConfigError):
        form.parse()
    type_in(form, "nested.name", "a")
    assert form.value["nested"] == {"name": "a"}


def test_entries_of_a_list_are_added_and_removed(form: Form) -> None:
    disks: Any = form._root._parts["disks"]
    disks._add.click()
    disks._add.click()
    type_in(form, "disks[0].label", "one")
    type_in(form, "disks[1].label", "two")
    assert form.value["disks"] == [{"label": "one"}, {"label": "two"}]
    disks._removed(disks._entries[0])
    assert form.value["disks"] == [{"label": "two"}]


def test_values_given_count_as_set_even_where_they_equal_the_default() -> None:
    form = form_for(
        Example, {"name": "a", "cores": 4, "offline": False, "plugin": "flannel", "nested": {"name": "n"}, "disks": [{}]}
    )
    assert form.value == {"name": "a", "cores": 4, "offline": False, "plugin": "flannel", "nested": {"name": "n"}, "disks": [{}]}


def test_a_given_value_that_is_no_choice_is_told_at_its_field() -> None:
    form = form_for(Example, {"name": "a", "plugin": "weave"})
    assert form.errors == {"plugin": "must be one of: flannel, calico"}


def test_values_of_hidden_fields_are_kept() -> None:
    form = form_for(Example, {"name": "a", "cores": 8}, hide=lambda path, field: path == "cores")
    assert "cores" not in rows(form)
    assert form.value == {"name": "a", "cores": 8}


def test_faults_found_by_the_model_are_told_at_their_fields(form: Form) -> None:
    class Strict(Example):
        def model_post_init(self, context: Any) -> None:
            if self.plugin == "calico" and self.offline:
                raise ValueError("calico needs the internet")

    strict = form_for(Strict, {"name": "a", "plugin": "calico", "offline": True})
    with pytest.raises(ConfigError, match="calico needs the internet"):
        strict.parse()
    assert "calico needs the internet" in strict._message.value


def test_the_person_is_told_of_no_field_before_touching_it() -> None:
    assert form_for(Example).errors == {}


def test_advanced_fields_are_folded_away() -> None:
    form = form_for(Nested, {"name": "a"})
    accordions = [child for child in form._root.widget.children if isinstance(child, ipywidgets.Accordion)]
    assert [accordion.titles for accordion in accordions] == [("More settings (1)",)]
    assert accordions[0].selected_index is None


def test_a_folded_section_says_how_much_is_to_be_corrected(form: Form) -> None:
    type_in(form, "first.gigabytes", "0")
    accordion, _ = form._root._accordion or (None, None)
    assert accordion is not None
    assert "First - 1 to correct" in accordion.titles
    accordion.selected_index = None
    with pytest.raises(ConfigError):
        form.parse()
    assert accordion.titles[accordion.selected_index] == "First - 1 to correct"


def test_changes_are_told() -> None:
    told: list[int] = []
    form = form_for(Example, {"name": "a"}, on_change=lambda: told.append(1))
    assert told == []
    type_in(form, "cores", "8")
    assert told == [1]


def test_a_form_can_be_locked(form: Form) -> None:
    form.disable()
    assert all(row._control.disabled for row in rows(form).values())
    form.disable(False)
    assert not any(row._control.disabled for row in rows(form).values())


def test_what_is_shown_is_escaped() -> None:
    class Odd(BaseModel):
        value: str = Field(default="", title="<b>", description="<script>")

    assert "&lt;script&gt;" in shown_by(form_for(Odd).widget)
    assert "<script>" not in shown_by(form_for(Odd).widget)


def test_without_a_person_the_model_is_filled_from_values() -> None:
    assert filled(Example, {"name": "a"}) == Example(name="a")
    with pytest.raises(ConfigError) as caught:
        filled(Example, {"name": "a", "cores": 1, "first": {"gigabytes": 0}})
    assert {issue.path for issue in caught.value.issues} == {"cores", "first.gigabytes"}


def test_a_deployment_config_goes_through_its_form_unchanged() -> None:
    config = DeploymentConfig.template().with_values({"Arc.ClientSecret": "env:ARC", "Network.DnsServers": ["10.0.0.1"]})
    form = form_for(DeploymentConfig, config.as_data(), parse=DeploymentConfig.parse, single=("Machines",))
    assert form.value == config.as_data()
    type_in(form, "Machines[0].LinuxNode.MemoryInMB", "8192")
    assert form.parse().machine.linux_node.memory_in_mb == 8192


def test_a_deployment_config_out_of_bounds_is_told_in_the_products_words() -> None:
    form = form_for(DeploymentConfig, DeploymentConfig.template().as_data(), parse=DeploymentConfig.parse, single=("Machines",))
    row = type_in(form, "Machines[0].LinuxNode.CpuCount", "40")
    assert "must be a whole number from 2 to 16" in row.message
    row = type_in(form, "Arc.SubscriptionId", "abc")
    assert "must be a GUID" in row.message
