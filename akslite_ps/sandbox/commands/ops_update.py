"""The function of AksLiteOps for updates, as a command of the simulated device. Registered by ``commands.ops``."""

from __future__ import annotations

from akslite_ps.sandbox import assumptions
from akslite_ps.sandbox.device import host
from akslite_ps.sandbox.embedded.cmdlet import Call, Implementation
from akslite_ps.sandbox.engine import PsValue

_MANIFEST_BYTES = 64 * 1024


async def get_staged_update(call: Call) -> PsValue:
    device, product = call.device, call.device.state.product
    folders = [assumptions.UPDATE_CACHE, f"{product.install_dir if product else host.PRODUCT_DIR}\\update-cache"]
    files = [entry for folder in folders for entry in device.drive.entries(folder) if not entry.is_folder]
    contents = {entry.path: device.drive.read(entry.path) or b"" for entry in files}
    manifests = (data for path, data in contents.items() if path.casefold().endswith(".json") and len(data) <= _MANIFEST_BYTES)
    manifest = next(manifests, None)
    return PsValue(
        {
            "Folders": folders,
            "Files": list(contents),
            "Bytes": sum(map(len, contents.values())),
            "NewestAt": device.state.staged_update.staged_at if device.state.staged_update else None,
            "Manifest": None if manifest is None else manifest.decode("utf-8", "replace"),
        }
    )


RUN: dict[str, Implementation] = {"Get-AksLiteStagedUpdate": get_staged_update}
