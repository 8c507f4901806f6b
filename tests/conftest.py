"""What every test shares: no test sees this user's akslite data, keyring, proxy settings, terminal or Kerberos realm.

``kerberos_realm`` starts MIT Kerberos' key distribution centre on a free loopback port, once per run; tests that ask for it skip
where it is not installed.
"""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from akslite_ps.secrets import REDACTOR, Known


def pytest_configure() -> None:
    """A run started in the background of a shell ignores Ctrl-C, and so would the programs that tests interrupt."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Any:
    """What was printed or logged may hold half a character, which does not go from one core's process to the other."""
    report = yield
    report.sections = [(name, text.encode("utf-8", "backslashreplace").decode("utf-8")) for name, text in report.sections]
    return report


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """On several cores the tests of one file stay together, and so do those that one document is made from."""
    from xdist.scheduler import LoadFileScheduling

    class ByFile(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file: str = super()._split_scope(nodeid)
            return "survival" if "/test_survival" in file else file

    return ByFile(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.fixture(autouse=True)
def no_known_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test registered for redaction must not redact words of another."""
    monkeypatch.setattr(REDACTOR, "known", Known())


@pytest.fixture(autouse=True)
def akslite_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder of its own for every test."""
    home = tmp_path_factory.mktemp("akslite-home")
    monkeypatch.setenv("AKSLITE_HOME", str(home))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "AKSLITE_INTERACTIVE", "COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
    return home


@pytest.fixture(autouse=True)
def no_kerberos_realm(akslite_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine's realm, if it is in one, is asked for nothing."""
    config = akslite_home.parent / f"{akslite_home.name}-krb5.conf"
    config.write_text("[libdefaults]\n dns_lookup_kdc = false\n dns_lookup_realm = false\n", encoding="utf-8")
    monkeypatch.setenv("KRB5_CONFIG", str(config))
    monkeypatch.setenv("KRB5CCNAME", f"FILE:{config}-tickets")


class KerberosRealm:
    """A key distribution centre on loopback with the users and the computer that the tests need.

    Args:
        directory: For its database, configuration and keytab.
    """

    NAME = "PLANT.TEST"
    COMPUTER = "press-01.plant.test"
    OTHER_COMPUTER = "press-02.plant.test"
    PASSWORD = "Weir:and 8 sluices"

    def __init__(self, directory: Path) -> None:
        self.config_file = directory / "krb5.conf"
        self.keytab = directory / "computer.keytab"
        self.port = _free_port()
        self._environment = {
            **os.environ,
            "KRB5_CONFIG": str(self.config_file),
            "KRB5_KDC_PROFILE": str(directory / "kdc.conf"),
            "PATH": os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin")),
        }
        self.config_file.write_text(
            f"[libdefaults]\n default_realm = {self.NAME}\n dns_lookup_kdc = false\n dns_lookup_realm = false\n"
            f" dns_canonicalize_hostname = false\n rdns = false\n udp_preference_limit = 1\n"
            f"[realms]\n {self.NAME} = {{\n  kdc = 127.0.0.1:{self.port}\n }}\n[domain_realm]\n .plant.test = {self.NAME}\n",
            encoding="utf-8",
        )
        (directory / "kdc.conf").write_text(
            f"[kdcdefaults]\n kdc_listen = 127.0.0.1:{self.port}\n kdc_tcp_listen = 127.0.0.1:{self.port}\n"
            f"[realms]\n {self.NAME} = {{\n  database_name = {directory}/principal\n  key_stash_file = {directory}/stash\n"
            f"  acl_file = {directory}/acl\n }}\n",
            encoding="utf-8",
        )
        self._run("kdb5_util", "create", "-r", self.NAME, "-s", "-P", "the database's own")
        self._run(
            "kadmin.local",
            given="".join(
                f"{line}\n"
                for line in (
                    f'addprinc -pw "{self.PASSWORD}" aksadmin',
                    f'addprinc -pw "{self.PASSWORD}" -allow_tix locked',
                    f'addprinc -pw "{self.PASSWORD}" -pwexpire "1 day ago" expired',
                    f"addprinc -randkey host/{self.COMPUTER}",
                    f"addprinc -randkey host/{self.OTHER_COMPUTER}",
                    "addprinc -randkey HTTP/localhost",
                    f"ktadd -k {self.keytab} host/{self.COMPUTER} HTTP/localhost",
                )
            ),
        )
        self._process = subprocess.Popen(
            ["krb5kdc", "-n"], env=self._environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._wait_until_it_listens()

    def kinit(self, cache: Path) -> None:
        """Get a ticket for the administrator, kept in a file."""
        self._run("kinit", "-c", f"FILE:{cache}", f"aksadmin@{self.NAME}", given=f"{self.PASSWORD}\n")

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(10)

    def _run(self, *command: str, given: str = "") -> None:
        subprocess.run(command, env=self._environment, input=given, text=True, capture_output=True, check=True, timeout=60)

    def _wait_until_it_listens(self) -> None:
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                assert self._process.poll() is None, "krb5kdc ended"
                assert time.monotonic() < deadline, "krb5kdc does not listen"
                time.sleep(0.02)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def _kerberos_realm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KerberosRealm]:
    places = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))
    for program in ("krb5kdc", "kdb5_util", "kadmin.local", "kinit"):
        if shutil.which(program, path=places) is None:
            pytest.skip(f"{program} is not installed (Debian: krb5-kdc, krb5-admin-server and krb5-user)")
    for package in ("gssapi", "krb5"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"the Python package {package} is not installed (extra: kerberos)")
    realm = KerberosRealm(tmp_path_factory.mktemp("kerberos"))
    yield realm
    realm.stop()


@pytest.fixture
def kerberos_realm(_kerberos_realm: KerberosRealm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KerberosRealm:
    """A realm with its key distribution centre; this process is one of its computers, without a ticket."""
    monkeypatch.setenv("KRB5_CONFIG", str(_kerberos_realm.config_file))
    monkeypatch.setenv("KRB5CCNAME", f"FILE:{tmp_path / 'tickets'}")
    return _kerberos_realm


@pytest.fixture(scope="session")
def forms_of() -> Callable[[str], list[tuple[str, str]]]:
    """The forms in which a device, a log or a page may repeat a secret: what is shown, and the part that must not be found."""
    return _forms_of


def _forms_of(secret: str) -> list[tuple[str, str]]:
    quoted = json.dumps(secret)[1:-1]
    markup = secret.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    shown = [
        secret,
        quoted,
        json.dumps(secret, ensure_ascii=False)[1:-1],
        json.dumps(quoted)[1:-1],
        re.sub(r"[<>&']", lambda found: f"\\u{ord(found[0]):04x}", json.dumps(secret, ensure_ascii=False)[1:-1]),
        markup,
        markup.replace('"', "&quot;"),
        markup.replace('"', "&quot;").replace("'", "&apos;"),
        markup.replace('"', "&quot;").replace("'", "&#39;"),
        secret.replace("'", "''"),
        re.sub(r'[`$"]', lambda found: f"`{found[0]}", secret),
        urllib.parse.quote(secret),
        urllib.parse.quote(secret, safe=""),
        re.sub("%..", lambda found: found[0].lower(), urllib.parse.quote(secret, safe="")),
        urllib.parse.quote_plus(secret),
        urllib.parse.quote(urllib.parse.quote(secret, safe=""), safe=""),
        secret.encode().hex(),
        "\0".join(secret),
    ]
    pairs = [(text, text) for text in shown]
    for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
        raw = secret.encode(encoding)
        for offset in range(3):
            around = b"xyz"[:offset]
            text = base64.b64encode(around + raw + b"~").decode()
            inner = text[-(-offset * 8 // 6) : (offset + len(raw)) * 8 // 6]
            pairs.append((text, inner))
    return pairs
