"""``akslite expose`` on the command line: declared in the inventory, applied, listed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from akslite_ps.sandbox import LocalSandbox

Run = Callable[..., tuple[int, str, str]]


def test_ports_are_declared_applied_and_listed(run: Run, tmp_path: Path) -> None:
    with LocalSandbox(tmp_path / "sandbox", speed=3000.0) as sandbox:
        (told,) = sandbox.devices
        where = ("--host", told.address, "--port", told.http_port, "--username", told.username)
        assert run("device", "add", told.name, *where, "--password", f"file:{told.password_file}")[0] == 0
        assert run("expose", "add", told.name, 8080, "--to", "192.168.0.4:80", "--allow", "10.1.0.0/16")[0] == 0
        assert run("expose", "apply", told.name, "--what-if", "--detailed-exitcode")[0] == 3
        code, out, _ = run("expose", "list", told.name, "--json")
        assert (code, json.loads(out)[0]["state"]) == (0, "missing")
        code, out, err = run("expose", "apply", told.name, "--yes")
        assert code == 0, out + err
        code, out, _ = run("expose", "list", told.name, "--json")
        assert json.loads(out) == [
            {"listen": "0.0.0.0", "port": 8080, "to": "192.168.0.4:80", "allowed": "10.1.0.0/16", "state": "there"}  # noqa: S104
        ]
        assert run("expose", "remove", told.name, 8080)[0] == 0
        assert "no longer declared" in run("expose", "list", told.name)[1]
        assert run("expose", "apply", told.name, "--yes")[0] == 0
        assert json.loads(run("expose", "list", told.name, "--json")[1]) == []


def test_wrong_declarations_are_named(run: Run) -> None:
    assert run("device", "add", "press-09", "--host", "10.0.0.9", "--username", "u", "--password", "env:X")[0] == 0
    for wrong, why in (
        (("5985", "--to", "192.168.0.4:80"), "remote access"),
        (("8080", "--to", "192.168.0.4"), "to_address"),
        (("8080", "--to", "192.168.0.4:80", "--allow", "all"), "LocalSubnet"),
    ):
        code, _, err = run("expose", "add", "press-09", *wrong)
        assert (code, why in err) == (2, True), err
    code, _, err = run("expose", "remove", "press-09", 8080)
    assert (code, "is declared" in err) == (2, True)
    assert run("expose", "add", "press-10", 8080, "--to", "192.168.0.4:80")[0] == 2
