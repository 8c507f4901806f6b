"""What the command line prints, logs and writes holds no secret: human text, ``--json``, ``--debug``, reports, exports."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from akslite_ps.aksedge.config import DeploymentConfig
from akslite_ps.cli.app import _show_thread_error, main
from akslite_ps.sandbox import LocalSandbox
from akslite_ps.sandbox.device.state import InstalledProduct
from akslite_ps.secrets import REDACTOR

Forms = Callable[[str], list[tuple[str, str]]]
CANARY = """c'An"ary é%2F & $(x)` /+=="""


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """``--debug`` adds a handler to the root logger."""
    root, ours = logging.getLogger(), logging.getLogger("akslite_ps")
    before = (list(root.handlers), root.level, ours.level, logging.lastResort, list(ours.handlers))
    yield
    root.handlers[:], root.level, ours.level, logging.lastResort, ours.handlers[:] = before


class Site:
    """A device with the product, in the inventory, that repeats secrets when it fails; and a config that holds one."""

    def __init__(self, sandbox: LocalSandbox, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.sandbox, self.config, self._capsys = sandbox, config, capsys
        (self.told,) = sandbox.devices
        self.said = self.out = ""

    @property
    def password(self) -> str:
        return self.told.password_file.read_text(encoding="utf-8").strip()

    def run(self, *line: str | Path) -> tuple[int, str]:
        with pytest.raises(SystemExit) as left:
            main([str(word) for word in line])
        said = self._capsys.readouterr()
        self.out = said.out
        self.said += said.out + said.err
        return int(left.value.code or 0), said.out + said.err


@pytest.fixture
def site(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], forms_of: Forms) -> Iterator[Site]:
    template = DeploymentConfig.template("SingleMachineCluster", "K3s").as_data()
    arc = {
        "ClusterName": "press",
        "Location": "westeurope",
        "ResourceGroupName": "rg",
        **dict.fromkeys(("SubscriptionId", "TenantId", "ClientId"), "11111111-1111-1111-1111-111111111111"),
        "ClientSecret": CANARY,
    }
    config = tmp_path / "aksedge-config.json"
    config.write_text(json.dumps({**template, "Arc": arc}), encoding="utf-8")
    with LocalSandbox(tmp_path / "sandbox", speed=3000.0) as sandbox:
        site = Site(sandbox, config, capsys)
        device = sandbox.device(site.told.name)

        async def install() -> None:
            device.update(
                features=dict.fromkeys(device.state.features, "Enabled"),
                product=InstalledProduct(
                    distribution="K3s",
                    version="1.12.269.0",
                    kubernetes_version="1.33.5",
                    install_dir="C:\\Program Files\\AksEdge",
                    vhdx_dir="C:\\Program Files\\AksEdge",
                    features=("CoreFeature",),
                    installed_at=device.now(),
                ),
            )

        sandbox.run(install())
        answer = "cannot log in with " + " or ".join(shown for shown, _ in (*forms_of(CANARY), *forms_of(site.password)))
        sandbox.add_fault(site.told.name, "deployment-fails", at="arc", answer=answer)
        where = ("--host", site.told.address, "--port", site.told.http_port, "--username", site.told.username)
        assert site.run("device", "add", site.told.name, *map(str, where), "--password", f"file:{site.told.password_file}")[0] == 0
        yield site


def test_nothing_that_is_printed_logged_or_written_holds_a_secret(site: Site, home: Path, tmp_path: Path, forms_of: Forms) -> None:
    deploy = ("press-01", "--config", site.config, "--accept-eula")
    out = tmp_path / "out"
    out.mkdir()
    assert site.run("config", "check", site.config)[0] == 0
    assert site.run("config", "check", site.config, "--json")[0] == 0
    assert site.run("plan", "press-01", "--config", site.config, "--json")[0] == 0
    code, text = site.run("deploy", *deploy, "--debug")
    assert (code, "<redacted>" in text) == (4, True), text
    code, text = site.run("device", "show", f"no-{CANARY}", "--debug")
    assert (code, "ERROR akslite_ps: the command failed" in text, "Traceback" in text) == (2, True, True), text
    logging.getLogger("somebody.else").warning("it said %s", CANARY, stack_info=True)
    assert site.run("runs", "list", "--json")[0] == 0
    runs = json.loads(site.out)
    assert site.run("resume", runs[0]["run_id"], "--json")[0] == 4
    for run in runs:
        assert site.run("runs", "show", run["run_id"], "--records")[0] == 0
        assert site.run("runs", "show", run["run_id"], "--json")[0] == 0
        assert site.run("runs", "export", run["run_id"], out / f"{run['run_id']}.json")[0] == 0
    site.run("diagnose", "press-01", "-o", out, "-m", f"it said {CANARY}", "--debug")
    site.run("config", "migrate", site.config, "-o", out / "migrated.json")
    site.run("device", "list", "--json")
    site.run("config", "diff", site.config, site.config)

    files = [file for folder in (home, out) for file in folder.rglob("*") if file.is_file()]
    assert {file.suffix for file in files} >= {".sqlite", ".json", ".html", ".md"}
    sinks = {str(file): file.read_bytes() for file in files} | {"output": site.said.encode("utf-8", "surrogatepass")}
    for secret in (CANARY, site.password):
        for _, inner in forms_of(secret):
            assert [name for name, data in sinks.items() if inner.encode() in data] == [], inner


def test_what_ends_a_thread_is_shown_without_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    REDACTOR.add(CANARY)
    try:
        raise ValueError(f"it said {CANARY}")
    except ValueError as error:
        args = threading.ExceptHookArgs((type(error), error, error.__traceback__, threading.current_thread()))
    _show_thread_error(args)
    said = capsys.readouterr().err
    assert "ValueError: it said <redacted>" in said
    assert CANARY not in said
