"""Which installers a plan takes, and that it holds no credentials."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from akslite_ps.errors import UsageError
from akslite_ps.operations import MsiSource


@pytest.mark.parametrize(
    "source",
    [
        "https://files.example/AksEdge-K3s-1.33.5-1.12.269.0.msi",
        "https://files.example/download?version=1.12.269.0",
        r"\\server\share\AksEdge-K3s-1.33.5-1.12.269.0.msi",
        r"C:\installers\AksEdge.MSI",
    ],
)
def test_addresses_shares_and_full_paths_are_taken(source: str) -> None:
    assert MsiSource.of(source, distribution="K3s").source == source


@pytest.mark.parametrize(
    "source",
    [
        "",
        " ",
        "AksEdge-K3s-1.33.5-1.12.269.0.msi",
        r"..\AksEdge.msi",
        r"C:AksEdge.msi",
        r"C:\installers\AksEdge.exe",
        "/srv/AksEdge.msi",
        "file:///c:/AksEdge.msi",
        "ftp://files.example/AksEdge.msi",
        "http://files.example/AksEdge.msi",
        "https://",
        "https://[/AksEdge.msi",
        "https://files.example/Aks Edge.msi",
        "https://files.example/AksEdge.msi\n-Force",
    ],
)
def test_anything_else_is_refused_before_a_device_is_asked(source: str) -> None:
    with pytest.raises(UsageError, match="could not use the installer"):
        MsiSource.of(source, distribution="K3s")


@pytest.mark.parametrize(
    "source",
    [
        "https://ops:canary-secret@files.example/AksEdge.msi",
        "https://files.example/AksEdge.msi?sv=2024&sig=canary-secret",
        "https://files.example/AksEdge.msi?X-Amz-Signature=canary-secret",
    ],
)
def test_an_address_with_credentials_is_refused_without_repeating_them(source: str) -> None:
    with pytest.raises(UsageError, match="credentials") as refused:
        MsiSource.of(source, distribution="K3s")
    assert "canary-secret" not in str(refused.value)
    with pytest.raises(ValidationError) as invalid:
        MsiSource(source=source, distribution="K3s")
    assert "canary-secret" not in str(invalid.value)


def test_a_name_that_does_not_tell_needs_the_distribution() -> None:
    with pytest.raises(UsageError, match="--distribution"):
        MsiSource.of("https://files.example/latest.msi")


def test_a_checksum_is_sixty_four_digits() -> None:
    with pytest.raises(UsageError, match="64 hexadecimal digits"):
        MsiSource.of("https://files.example/latest.msi", distribution="K3s", sha256="abc")


def test_an_at_sign_in_the_path_is_no_credential() -> None:
    assert MsiSource.of("https://files.example/v@1/AksEdge-K3s-1.33.5-1.12.269.0.msi").version == "1.12.269.0"
    with pytest.raises(UsageError, match="no port"):
        MsiSource.of("https://files.example:x/AksEdge-K3s-1.33.5-1.12.269.0.msi")
