"""``akslite change`` on the command line: what differs, the name typed, the folder that is chosen."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from akslite_ps.sandbox import LocalSandbox

Run = Callable[..., tuple[int, str, str]]
CPUS = ("--set", "Machines[0].LinuxNode.CpuCount=2")


def test_a_device_is_deployed_anew_only_with_its_name_typed(run: Run, tmp_path: Path) -> None:
    with LocalSandbox(tmp_path / "sandbox", speed=3000.0) as sandbox:
        (told,) = sandbox.devices
        where = ("--host", told.address, "--port", told.http_port, "--username", told.username)
        assert run("device", "add", told.name, *where, "--password", f"file:{told.password_file}")[0] == 0
        config = tmp_path / "config.json"
        assert run("config", "new", "-o", config, "--set", "Network.InternetDisabled=true")[0] == 0
        change = ("change", told.name, "-c", config)
        code, _, err = run(*change)
        assert (code, "deploy first" in err) == (4, True)
        assert run("deploy", told.name, "-c", config, "--accept-eula", "--yes")[0] == 0
        assert run(*change, "--what-if", "--detailed-exitcode")[0] == 0
        code, out, _ = run(*change, *CPUS, "--what-if", "--detailed-exitcode", "--json")
        plan = json.loads(out)
        assert code == 3
        assert [step["parameters"] for step in plan["steps"] if step["id"] == "change.backup"] == [
            {"folder": str(tmp_path / "home" / "backups" / f"{told.name}-1"), "with_secrets": False}
        ]
        code, _, err = run(*change, *CPUS, "--accept-eula", "--yes")
        assert (code, f"--confirm {told.name}" in err) == (2, True)
        assert run(*change, *CPUS, "--confirm", told.name)[0] == 2  # the licence terms
        code, out, err = run(*change, *CPUS, "--accept-eula", "--confirm", told.name)
        assert code == 0, out + err
        assert run(*change, *CPUS, "--what-if", "--detailed-exitcode")[0] == 0
