"""What a Windows host is and has, as Get-AksLiteFacts tells it. Read by preflight, status and reports."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidatorFunctionWrapHandler, field_validator
from pydantic_core.core_schema import ValidationInfo


class HostFacts(BaseModel):
    """Facts of one host at one moment. None, or empty, where the host did not tell.

    Args:
        os_edition: Edition id, e.g. ``IoTEnterpriseS``.
        os_version: e.g. ``10.0.19045``.
        os_installation_type: ``Client`` or ``Server``.
        total_memory_mb, free_memory_mb: In MB; firmware keeps a part of the built-in memory for itself.
        free_disk_gb: Free on the system drive, in GB.
        virtualization_firmware_enabled: Switched on in the firmware.
        default_gateway: IPv4 router of an enabled adapter.
        boot_time: UTC.
        local_time: The host's clock.
        pending_reboot_reasons: Who wants the restart.
        host_features: State by feature: ``Enabled``, ``Disabled``, ``EnablePending``.
        open_ssh_client: ``Installed`` or ``NotPresent``.
        language_mode: Of the session, e.g. ``FullLanguage`` or ``NoLanguage``.
        product_name, product_version, distribution: Of the installed product.
        deployment_exists: Whether nodes were made here.
        activated: Whether Windows is activated.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    computer_name: str | None = None
    os_caption: str | None = None
    os_edition: str | None = None
    os_version: str | None = None
    os_build: int | None = None
    os_installation_type: str | None = None
    ui_language: str | None = None
    architecture: str | None = None
    logical_processors: int | None = None
    total_memory_mb: int | None = None
    free_memory_mb: int | None = None
    system_drive: str | None = None
    free_disk_gb: float | None = None
    virtualization_firmware_enabled: bool | None = None
    hypervisor_present: bool | None = None
    default_gateway: str | None = None
    ip4_addresses: tuple[str, ...] = ()
    boot_time: dt.datetime | None = None
    local_time: dt.datetime | None = None
    pending_reboot: bool | None = None
    pending_reboot_reasons: tuple[str, ...] = ()
    host_features: dict[str, str] = Field(default_factory=dict)
    open_ssh_client: str | None = None
    power_shell_version: str | None = None
    language_mode: str | None = None
    product_name: str | None = None
    product_version: str | None = None
    distribution: str | None = None
    deployment_exists: bool | None = None
    install_dir: str | None = None
    vhdx_dir: str | None = None
    is_elevated: bool | None = None
    activated: bool | None = None

    @classmethod
    def read(cls, answer: Mapping[str, Any]) -> Self:
        """Facts from the object a device gave. Unknown members are ignored; missing and unusable ones are None."""
        given = {name.casefold(): value for name, value in answer.items()}
        wanted = {name: given.get(name.replace("_", "")) for name in cls.model_fields}
        return cls.model_validate({name: _plain(value) for name, value in wanted.items() if value is not None})

    @field_validator("*", mode="wrap")
    @classmethod
    def _unusable_is_absent(cls, value: Any, read: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        try:
            return read(value)
        except ValidationError:
            return cls.model_fields[info.field_name or ""].get_default(call_default_factory=True)

    @field_validator("boot_time", mode="after")
    @classmethod
    def _boot_time_is_utc(cls, value: dt.datetime | None) -> dt.datetime | None:
        return as_utc(value) if value else None

    @field_validator("ip4_addresses", "pending_reboot_reasons", mode="before")
    @classmethod
    def _one_is_a_list_too(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @property
    def untold(self) -> tuple[str, ...]:
        """Names of the facts that the host did not tell."""
        return tuple(name for name, value in self if value is None)


def as_utc(moment: dt.datetime) -> dt.datetime:
    """The moment in UTC; one without a zone is taken as UTC."""
    return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): str(part) for name, part in value.items()}
    return list(value) if isinstance(value, list | tuple) else value
