"""The module folders of a simulated device, for PSModulePath: the product's when it is installed, and those of Windows.

Used by ``pwsh.device_engine`` before each new process. A file is written only where its text is new, so that processes
beside each other do not see half of one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path

from akslite_ps.aksedge import load_catalog
from akslite_ps.sandbox.commands import aksedge
from akslite_ps.sandbox.embedded.cmdlet import CommandInfo
from akslite_ps.sandbox.pwsh import event_logs
from akslite_ps.sandbox.pwsh.module_text import manifest_source, module_source
from akslite_ps.sandbox.pwsh.windows_commands import EXPORTED

CHANNEL = "DeviceChannel.psm1"
WINDOWS = "AksLite.SimulatedWindows"
_PRODUCT = "AksEdge"
_CORE = "Microsoft.PowerShell."
_DIAGNOSTICS = event_logs.MODULE
"""A module of Windows alone: a PowerShell elsewhere does not have it, so it can have a folder of its own."""


class ModuleFolders:
    """The generated modules of one device.

    Args:
        folder: Where they are kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, product_version: str | None) -> list[Path]:
        """Write what is new.

        Args:
            product_version: Of the installed product, None where none is installed.

        Returns:
            The entries of PSModulePath.
        """
        windows = self._folder / "windows"
        for name, text in _windows_files().items():
            _write(windows / name, text)
        if product_version is None:
            return [windows]
        # A folder of its own for each version, so that sessions opened before an installation do not see it.
        product = self._folder / f"product-{product_version}"
        for name, text in _product_files(product_version).items():
            _write(product / name, text)
        return [product, windows]


def shipped(name: str) -> str:
    """The text of a PowerShell file of this package."""
    return files(__package__).joinpath("data", name).read_text(encoding="utf-8")


@cache
def _windows_files() -> Mapping[str, str]:
    by_module: dict[str, list[CommandInfo]] = {WINDOWS: []}
    for info in EXPORTED:
        module = WINDOWS if info.module.startswith(_CORE) and info.module != _DIAGNOSTICS else info.module
        by_module.setdefault(module, []).append(info)
    texts: dict[str, str] = {}
    for module, infos in by_module.items():
        own = module == WINDOWS
        texts |= _module(
            module,
            "1.0.0.0",
            infos,
            description="Commands of Windows, answered by a simulated device.",
            prologue=shipped("SimulatedWindows.ps1") if own else "",
            required=() if own else (WINDOWS,),
        )
    return texts


@cache
def _product_files(version: str) -> Mapping[str, str]:
    return _module(
        _PRODUCT,
        version,
        aksedge.commands(version),
        description="AKS Edge Essentials, answered by a simulated device.",
        outputs={spec.name: f"System.{spec.output_type}" for spec in load_catalog().current if spec.output_type},
        required=(WINDOWS,),
    )


def _module(
    name: str,
    version: str,
    commands: Iterable[CommandInfo],
    *,
    description: str,
    outputs: Mapping[str, str] | None = None,
    prologue: str = "",
    required: Iterable[str] = (),
) -> dict[str, str]:
    infos = list(commands)
    manifest = manifest_source(
        name,
        version=version,
        description=description,
        functions=[info.name for info in infos],
        nested=[CHANNEL],
        required=required,
    )
    return {
        f"{name}/{name}.psd1": manifest,
        f"{name}/{name}.psm1": module_source(infos, outputs=outputs or {}, prologue=prologue),
        f"{name}/{CHANNEL}": shipped(CHANNEL),
    }


def _write(path: Path, text: str) -> None:
    # Windows PowerShell takes a file without a byte-order mark for one in the machine's ANSI code page.
    data = text.encode("utf-8-sig")
    if path.is_file() and path.read_bytes() == data:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".new")
    beside.write_bytes(data)
    beside.replace(path)
