"""Whatever is done to a config: it is read, or there is a ConfigError whose issues all have a path."""

from __future__ import annotations

import copy
import json
import random
import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from akslite_ps.aksedge import DeploymentConfig
from akslite_ps.errors import ConfigError, SecretUnavailable, UsageError

_FILES = (
    Path(__file__).parents[1] / "recorded" / "azure-aks-edge" / "aksedge-config.json",
    Path(__file__).with_name("scalable-config.json"),
)
BASES: list[dict[str, Any]] = [json.loads(file.read_text(encoding="utf-8")) for file in _FILES]
PREVIEW: dict[str, Any] = json.loads(Path(__file__).with_name("preview-config.json").read_text(encoding="utf-8"))
JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["1.16", "env:X", "<x>", "10.0.0.1", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=6,
)
_ODD_VALUES = (None, True, False, 0, -1, 2**63, 10**30, 0.5, -1e308, "", "env:X", "env:", "<x>", "10.0.0.1", "::1", "9.9", "true")
KEYS = st.sampled_from(["cpucount", "CpuCount", "Arc", "arc", "Join", "ClientSecret", "Networkk", "", "a\nb", "\ud800", "K" * 200])
fast = settings(max_examples=100, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every container with a key or index in it."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    found = [(value, key) for key in keys]
    return found + [place for key in keys for place in _places(value[key])]


@st.composite
def mutated(draw: st.DrawFn) -> dict[str, Any]:
    """A config with some values replaced, removed, renamed or added."""
    config = copy.deepcopy(draw(st.sampled_from(BASES)))
    for _ in range(draw(st.integers(1, 4))):
        places = _places(config)
        if not places:
            break
        container, key = draw(st.sampled_from(places))
        match draw(st.sampled_from(["replace", "remove", "rename", "add"])):
            case "replace":
                container[key] = draw(JUNK)
            case "remove":
                del container[key]
            case "rename" if isinstance(container, dict):
                container[draw(KEYS | st.text(max_size=12))] = container.pop(key)
            case _ if isinstance(container, dict):
                container[draw(KEYS)] = draw(JUNK)
    return config


def _junk(dice: random.Random, depth: int = 2) -> Any:
    """A value that does not belong where it is put, or only by chance."""
    if depth and dice.random() < 0.2:
        inner = [_junk(dice, depth - 1) for _ in range(dice.randrange(4))]
        return inner if dice.random() < 0.5 else {_word(dice): value for value in inner}
    return dice.choice([*_ODD_VALUES, _word(dice), dice.randrange(-(2**31), 2**31), dice.random() * 1e6])


def _word(dice: random.Random) -> str:
    """A key or text: a field's name, its other spelling, or nothing known."""
    known = dice.choice(
        ["CpuCount", "Arc", "Join", "ClientSecret", "Networkk", "Machines", "Ip4Address", "", "\ud800", "\x00", "K" * 300]
    )
    return dice.choice([known, known.lower(), known.upper(), "".join(dice.choices(string.printable, k=dice.randrange(9)))])


def _damaged(dice: random.Random, *bases: dict[str, Any]) -> dict[str, Any]:
    """One of the configs with one to six values replaced, removed, renamed, added, doubled or wrapped."""
    config = copy.deepcopy(dice.choice(bases))
    for _ in range(dice.randint(1, 6)):
        places = _places(config)
        if not places:
            break
        container, key = dice.choice(places)
        match dice.randrange(6):
            case 0:
                container[key] = _junk(dice)
            case 1:
                del container[key]
            case 2 if isinstance(container, dict):
                container[_word(dice)] = container.pop(key)
            case 3 if isinstance(container, dict):
                container[_word(dice)] = _junk(dice)
            case 4 if isinstance(container, dict):
                container[str(key).swapcase()] = copy.deepcopy(container[key])
            case _:
                container[key] = [container[key]] if dice.random() < 0.5 else {"Value": container[key]}
    return config


def _examine(config: DeploymentConfig) -> None:
    for distribution in (None, "K3s", "K8s"):
        for issue in [*config.check(distribution=distribution, release="1.12.269.0"), *config.advice(distribution=distribution)]:
            assert issue.path
            assert issue.allowed
            str(issue).encode("utf-8")
    assert json.loads(config.to_json())["User"]["AcceptEula"] is False
    try:
        data = config.as_data()
    except SecretUnavailable:
        assert config.secrets()
        return
    json.dumps(data)
    assert DeploymentConfig.parse(data) == config


def _read(source: Any) -> DeploymentConfig | None:
    try:
        return DeploymentConfig.parse(source)
    except ConfigError as error:
        _examine_refusal(error)
        return None


def _examine_refusal(error: ConfigError) -> None:
    assert error.issues
    for issue in error.issues:
        assert issue.path
        assert issue.allowed
        assert issue.reason
    str(error).encode("utf-8")
    json.dumps(error.to_dict())


@fast
@given(mutated())
def test_a_mutated_config_is_read_or_refused_with_paths(config: dict[str, Any]) -> None:
    made = _read(config)
    if made is not None:
        _examine(made)


@pytest.mark.parametrize("seed", range(10))
def test_ten_thousand_damaged_configs_are_read_or_refused_with_paths(seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311
    read = 0
    for _ in range(1_000):
        made = _read(_damaged(dice, *BASES))
        if made is not None:
            read += 1
            _examine(made)
    assert 0 < read < 1_000


@pytest.mark.parametrize("seed", range(2))
def test_damaged_configs_of_any_layout_are_migrated_or_refused_with_paths(seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311
    made = 0
    for _ in range(500):
        text = json.dumps(_damaged(dice, PREVIEW, PREVIEW, *BASES))
        try:
            config, notes = DeploymentConfig.migrate_text(text, source="old.json")
        except ConfigError as error:
            _examine_refusal(error)
            continue
        except UsageError:  # its schema is newer than any that is known
            continue
        made += 1
        assert all(notes)
        _examine(config)
    assert 0 < made < 500


@fast
@given(mutated())
def test_text_and_data_are_judged_alike(config: dict[str, Any]) -> None:
    try:
        text = json.dumps(config, allow_nan=False)
    except ValueError:
        return
    assert (_read(text) is None) == (_read(json.loads(text)) is None)


@fast
@given(JUNK)
def test_any_value_at_all_is_refused_with_paths(value: Any) -> None:
    if isinstance(value, str | bytes | dict):
        assert _read(value) is None


@fast
@given(st.data())
def test_a_damaged_file_is_read_or_refused(data: st.DataObject) -> None:
    raw = bytearray(json.dumps(BASES[0], indent=1).encode())
    for _ in range(data.draw(st.integers(1, 5))):
        place = data.draw(st.integers(0, len(raw) - 1))
        raw[place : place + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=4))
    made = _read(bytes(raw))
    if made is not None:
        _examine(made)


@fast
@given(st.text(max_size=60), JUNK)
@example("Machines[99999999999999999999].LinuxNode", {})
def test_any_path_and_value_change_the_config_or_are_refused(path: str, value: Any) -> None:
    config = DeploymentConfig.parse(BASES[0])
    for where in (path, f"Network.{path}", "Machines[0].LinuxNode", "Init"):
        try:
            config.with_values({where: value})
        except ConfigError as error:
            _examine_refusal(error)
