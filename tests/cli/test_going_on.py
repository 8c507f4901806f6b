"""Which unfinished run the same command goes on with."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from akslite_ps.cli.operate import msi_source, same_installer
from akslite_ps.errors import UsageError
from akslite_ps.operations import MsiSource, Plan, Step, install

SHARE = r"\\files\msi\AksEdge-K3s-1.33.5-1.12.269.0.msi"
SHA256 = "AB" * 32


def begun_with(source: MsiSource) -> Plan:
    step = Step(id=install.MSI, title="Install", parameters=source.model_dump(mode="json", exclude_none=True))
    return Plan(operation="deploy", device="press-01", created=dt.datetime.now(dt.UTC), steps=(step,))


@pytest.mark.parametrize(
    ("msi", "sha256", "same"),
    [
        (None, None, True),
        (SHARE, SHA256, True),
        (SHARE, SHA256.lower(), True),
        (SHARE, None, False),
        (SHARE.replace("1.33.5", "1.32.9"), SHA256, False),
    ],
)
def test_a_deployment_goes_on_with_the_installer_that_the_command_names_or_with_its_own(
    msi: str | None, sha256: str | None, same: bool
) -> None:
    assert same_installer(begun_with(MsiSource.of(SHARE, sha256=SHA256)), msi_source(msi, sha256, None)) is same


def test_two_installers_are_one_too_many(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="name two installers"):
        msi_source(SHARE, None, None, file=tmp_path / "AksEdge-K3s-1.33.5-1.12.269.0.msi")
