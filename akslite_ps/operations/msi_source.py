"""Which installer of the product, and from where: what a plan says about it, and what it must not hold.

Made by the command line, runbooks and Python callers; part of the plans of ``install`` and ``deploy``. Reads nothing but an
installer on this machine that is to be copied to the device.
"""

from __future__ import annotations

import hashlib
import re
import urllib.parse
from pathlib import Path, PureWindowsPath
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from akslite_ps.aksedge.releases import Distribution, msi_link, parse_msi_name
from akslite_ps.errors import UsageError
from akslite_ps.secrets import REDACTOR

_CREDENTIALS = ("sig", "tok", "key", "secret", "pass", "pwd", "code", "auth", "cred", "jwt", "session", "policy")
"""In the names of parameters by which addresses carry credentials: a SAS token's signature, a function's key."""
_SECRETIVE = 8


_FOLDER_ON_DEVICE = PureWindowsPath("C:\\Windows\\Temp")
"""There on every Windows; the installer is checked again, and taken from there, before it runs."""
_INSTALLER_HEAD = bytes.fromhex("D0CF11E0A1B11AE1")
_FILE_NAME = re.compile(r'[^"<>|?*:\\/\x00-\x1f]+\.msi', re.IGNORECASE)


class MsiSource(BaseModel):
    """Which installer, from where. Plain data for plans.

    Args:
        source: https address without credentials, share, or full path on the device. Plans and journals show it.
        distribution: What it installs.
        version: Product version, None where the name does not tell.
        sha256: Checksum it must have (hex); None: not checked.
        install_dir, vhdx_dir: Folders on the device; None: the product's defaults.
        features: Installer features; empty: the installer's choice.
        file: Full path of a file on this machine that is copied to ``source`` first; None: it is there already.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    source: str = Field(min_length=1)
    distribution: Distribution
    version: str | None = None
    sha256: str | None = None
    install_dir: str | None = None
    vhdx_dir: str | None = None
    features: tuple[str, ...] = ()
    file: str | None = None

    @field_validator("sha256")
    @classmethod
    def _is_sha256(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[0-9A-Fa-f]{64}", value):
            raise ValueError("must be 64 hexadecimal digits")
        return value.lower() if value else None

    @field_validator("install_dir", "vhdx_dir")
    @classmethod
    def _is_folder(cls, value: str | None) -> str | None:
        if value is not None and (not PureWindowsPath(value).drive.endswith(":") or not PureWindowsPath(value).is_absolute()):
            raise ValueError("must be a full path of a folder on a drive of the device, such as D:\\AksEdge")
        return value

    @field_validator("features")
    @classmethod
    def _are_names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if wrong := [name for name in value if not name.isalnum()]:
            raise ValueError(f"must be names of installer features, such as WindowsNodeFeature; {wrong[0]!r} is none")
        return value

    @model_validator(mode="after")
    def _goes_alone(self) -> Self:
        if self.file and "WindowsNodeFeature" in self.features:
            raise ValueError(
                "cannot have WindowsNodeFeature where the installer is copied from here: the Windows node's files belong beside "
                "it; put them on a share or on the device, and name the installer there"
            )
        return self

    @field_validator("source")
    @classmethod
    def _is_usable(cls, value: str) -> str:
        _check(value)
        return value

    @classmethod
    def default(cls, distribution: Distribution) -> MsiSource:
        """Microsoft's link to the newest installer of the distribution."""
        return cls(source=msi_link(distribution), distribution=distribution)

    @classmethod
    def pushed(cls, file: Path, *, sha256: str | None = None, distribution: Distribution | None = None) -> MsiSource:
        """An installer on this machine, copied to the device before it is run there; read through for its checksum.

        Args:
            file: The installer; its name tells distribution and version, as for :meth:`of`.
            sha256: Checksum it must have (hex); its own is used in any case.
            distribution: As for :meth:`of`.

        Raises:
            UsageError: There is no such installer, its checksum is another, or as for :meth:`of`.
        """
        actual = _checksum(file)
        if sha256 is not None and sha256.casefold() != actual:
            raise _unusable(f"the SHA-256 of {file} is {actual}, not {sha256.casefold()}", "get the file again, from its publisher")
        source = cls.of(str(_FOLDER_ON_DEVICE / file.name), sha256=actual, distribution=distribution)
        return source.model_copy(update={"file": str(file.resolve())})

    def placed(self, *, install_dir: str | None, vhdx_dir: str | None, features: tuple[str, ...]) -> MsiSource:
        """The same installer with folders and features; arguments as for the class.

        Raises:
            UsageError: One of them is not usable.
        """
        return self._made(**self.model_dump() | {"install_dir": install_dir, "vhdx_dir": vhdx_dir, "features": features})

    @classmethod
    def _made(cls, **values: Any) -> MsiSource:
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise _unusable(_reasons(error), "correct what is named") from None

    @classmethod
    def of(
        cls,
        source: str,
        *,
        sha256: str | None = None,
        distribution: Distribution | None = None,
        install_dir: str | None = None,
        vhdx_dir: str | None = None,
        features: tuple[str, ...] = (),
    ) -> MsiSource:
        """An installer by its address; distribution and version are read from the file name where it tells them.

        Args:
            source: https address, share, or path on the device.
            sha256: Checksum it must have (hex).
            distribution: Needed where the name does not tell.
            install_dir, vhdx_dir, features: As for the class.

        Raises:
            UsageError: The source, the checksum or a folder is not usable, or the distribution is not known.
        """
        try:
            _check(source)
        except ValueError as error:
            raise _unusable(f"its source {error}", "correct the source") from None
        version = None
        try:
            name = parse_msi_name(source)
        except UsageError as error:
            if distribution is None:
                raise _unusable(error.message, "say which distribution it installs: --distribution K3s or K8s") from None
        else:
            if distribution not in (None, name.distribution):
                raise _unusable(f"{source} installs {name.distribution}, wanted is {distribution}", "name the other installer")
            distribution, version = name.distribution, name.product
        return cls._made(
            source=source,
            distribution=distribution,
            version=version,
            sha256=sha256,
            install_dir=install_dir,
            vhdx_dir=vhdx_dir,
            features=features,
        )


def _checksum(file: Path) -> str:
    """SHA-256 of an installer on this machine.

    Raises:
        UsageError: It is none, or cannot be read.
    """
    if not _FILE_NAME.fullmatch(file.name):
        raise _unusable(f"{file.name!r} is no name of an .msi file on Windows", "name an .msi file")
    try:
        with file.open("rb") as content:
            if content.read(len(_INSTALLER_HEAD)) != _INSTALLER_HEAD:
                raise _unusable(f"{file} is no Windows installer package", "get the file again, from its publisher")
            content.seek(0)
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise _unusable(f"{file} cannot be read: {error.strerror or type(error).__name__}", "name a file on this machine") from None


def _unusable(message: str, next_action: str) -> UsageError:
    return UsageError(message, attempted="use the installer", next_action=next_action)


def _check(source: str) -> None:
    """Refuse with a ValueError, whose text does not repeat the source: it may hold credentials."""
    if not source.isprintable() or source != source.strip():
        raise ValueError("must be one address or path, without line breaks or blanks around it")
    scheme = source.partition(":")[0].casefold()
    if scheme == "http":
        raise ValueError("must be https, a share or a path on the device: http can be changed on the way")
    if scheme == "https":
        _check_address(source)
        return
    path = PureWindowsPath(source)
    if not path.is_absolute():
        raise ValueError(
            r"must be an https address, a share (\\server\share\file.msi) or a full path on the device (C:\folder\file.msi)"
        )
    if path.suffix.casefold() != ".msi":
        raise ValueError("must be a .msi file")


def _check_address(source: str) -> None:
    address = urllib.parse.urlsplit(source)
    if not address.hostname or " " in source:
        raise ValueError("must be a whole https address, such as https://files.example/AksEdge-K3s-1.33.5-1.12.269.0.msi")
    credentials = [
        value
        for query in (address.query, address.fragment)
        for name, value in urllib.parse.parse_qsl(query, keep_blank_values=True)
        if any(word in name.casefold() for word in _CREDENTIALS)
    ]
    user = source.partition("://")[2].rpartition("@")[0] if "@" in address.netloc or not _has_port(address) else ""
    for secret in (*credentials, user.partition(":")[2]):
        if len(secret) >= _SECRETIVE:  # not the "true" of ?auth=true
            REDACTOR.add(secret)
    if user or credentials:
        raise ValueError("must not hold credentials, because plans and journals show it: use a share or a path on the device")
    if not _has_port(address):
        raise ValueError("must be a whole https address; behind the colon stands no port")


def _has_port(address: urllib.parse.SplitResult) -> bool:
    """Whether what stands behind the host's colon is a port, or nothing. A password with a slash in it ends up there."""
    try:
        return address.port != 0
    except ValueError:
        return False


def _reasons(error: ValidationError) -> str:
    return "; ".join(_reason(fault["loc"], fault["msg"]) for fault in error.errors(include_url=False))


def _reason(place: tuple[int | str, ...], message: str) -> str:
    return f"{place[0] if place else 'the installer'} {message.removeprefix('Value error, ')}"
