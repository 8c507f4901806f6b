"""PowerShell cells on a simulated device, through a real kernel process."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from typing import Any

import pytest

from akslite_ps.sandbox import LocalSandbox

LONG = "Start-Sleep -Seconds 600"


def wait_until(condition: Callable[[], bool], what: str, limit_s: float = 30) -> None:
    """Wait for a condition of the device."""
    until = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < until, what
        time.sleep(0.02)


def test_objects_appear_as_a_table_in_text_and_html(powershell: Any) -> None:
    run = powershell.run("Get-Command Get-AksLite* | Select-Object Name, CommandType | Sort-Object Name")
    assert run.status == "ok"
    assert run.result.splitlines()[0].split() == ["Name", "CommandType"]
    assert ["Get-AksLiteBootTime", "Function"] in [line.split() for line in run.result.splitlines()]
    (output,) = run.outputs
    assert "<th>Name</th>" in output["data"]["text/html"]
    assert "<td>Get-AksLiteBootTime</td>" in output["data"]["text/html"]


def test_a_single_object_with_many_properties_appears_as_a_list(powershell: Any) -> None:
    lines = powershell.run("Get-AksLiteFacts").result.splitlines()
    assert "ComputerName                  : PRESS-01" in lines
    assert "OsInstallationType            : Client" in lines


def test_format_list_and_format_table_at_the_end_are_done_by_the_notebook(powershell: Any) -> None:
    run = powershell.run("Get-Command Get-Help | Format-List Name, ModuleN*")
    assert run.result.splitlines() == ["Name       : Get-Help", "ModuleName : Microsoft.PowerShell.Core"]
    run = powershell.run("Get-AksLiteFacts | Format-Table ComputerName, OsBuild -AutoSize")
    assert run.result.splitlines() == ["ComputerName OsBuild", "------------ -------", "PRESS-01       19045"]


def test_texts_warnings_and_objects_keep_their_order(powershell: Any) -> None:
    run = powershell.run("Write-Host one; 'a', 'b' | Write-Output; Write-Warning careful; Write-Host two; 'c'")
    shown = "|".join(o.get("text") or o["data"]["text/plain"] for o in run.outputs)
    assert shown.replace("\n|", "\n") == "one\na\nb|\x1b[33mWARNING: careful\x1b[0m\ntwo\nc"
    assert run.outputs[-1]["type"] == "execute_result"


def test_a_terminating_error_is_powershells_error_block_without_python(powershell: Any) -> None:
    run = powershell.run("Write-Host before\nGet-AksLiteFact\nWrite-Host after")
    assert run.status == "error"
    assert run.error["ename"] == "CellFailed"
    assert run.error["evalue"].startswith("The term 'Get-AksLiteFact' is not recognized")
    assert "    + CategoryInfo          : ObjectNotFound: (Get-AksLiteFact:String)" in run.error_text
    assert "    + PSComputerName        : press-01" in run.error_text
    assert "did you mean Get-AksLiteFacts?" in run.error_text
    assert "Traceback" not in run.error_text
    assert ".py" not in run.error_text
    assert run.texts("stdout") == "before\n"


def test_a_cell_with_error_records_runs_to_its_end_and_then_fails(powershell: Any) -> None:
    run = powershell.run("Write-Error first -ErrorId Mine\nWrite-Output after")
    assert run.status == "error"
    assert "Write-Error : first" in run.texts("stderr")
    assert "FullyQualifiedErrorId : Mine," in run.texts("stderr")
    assert run.shown == ["after"]
    assert run.error["evalue"] == "The cell ran to its end and left 1 error record: first"


def test_no_fail_turns_that_off_and_goes_on_after_a_terminating_error(powershell: Any) -> None:
    run = powershell.run("%%ps --no-fail\nWrite-Error first\nGet-Nope\nWrite-Output after")
    assert run.status == "ok"
    assert run.result == "after"
    assert "Write-Error : first" in run.texts("stderr")
    assert "The term 'Get-Nope' is not recognized" in run.texts("stderr")


def test_progress_is_one_display_that_is_updated(powershell: Any) -> None:
    run = powershell.run("Enable-AksLiteHostFeatures")
    assert run.status == "ok"
    bars = [o for o in run.outputs if o["type"] in ("display_data", "update_display_data")]
    assert len({o["transient"]["display_id"] for o in bars}) == 1
    assert bars[0]["type"] == "display_data"
    assert bars[-1]["data"]["text/plain"].endswith(" [##############################] 100 % done")
    assert "<progress" in bars[-1]["data"]["text/html"]
    assert "RebootRequired" in run.result


def test_values_travel_both_ways(powershell: Any) -> None:
    assert powershell.run("%%python\nnames = ['Get-Help', 'Get-Command']").status == "ok"
    assert powershell.run("%%ps --in names --out found\nGet-Command $names | Select-Object Name\n$names.Count").shown == []
    assert powershell.run("%%python\n[*(o['Name'] for o in found[:-1]), found[-1]]").result == "['Get-Help', 'Get-Command', 2]"


def test_assignments_are_kept_by_the_kernel_and_usable_as_values(powershell: Any) -> None:
    assert powershell.run("$facts = Get-AksLiteFacts; $pattern = 'Get-AksLiteF*'").shown == []
    run = powershell.run('"on $($FACTS.ComputerName)"\nGet-Command $pattern | Select-Object Name')
    assert run.shown == ["on PRESS-01", "Name\n----\nGet-AksLiteFacts"]


def test_the_result_of_a_cell_is_a_python_list_too(powershell: Any) -> None:
    powershell.run("Get-Command Get-Help")
    assert powershell.run("%%python\n_[0]['Name'], type(_).__name__").result == "('Get-Help', 'PsOutput')"


def test_a_time_limit_stops_the_command_on_the_device(powershell: Any, sandbox: LocalSandbox) -> None:
    run = powershell.run(f"%%ps --timeout 0.5\n{LONG}")
    assert run.status == "error"
    assert "did not end within its limit of 0.5 s" in run.error_text
    wait_until(lambda: sandbox.device("press-01").is_idle, "the device still runs the command")


@pytest.mark.parametrize("way", ["signal", "message"])
def test_an_interrupt_stops_the_command_on_the_device(powershell: Any, sandbox: LocalSandbox, way: str) -> None:
    device = sandbox.device("press-01")
    request = powershell.begin(f"Write-Host started\n{LONG}\nWrite-Host never")
    wait_until(lambda: not device.is_idle, "the command was not started")
    if way == "signal":
        powershell.manager.interrupt_kernel()
    else:
        client = powershell.client
        client.control_channel.send(client.session.msg("interrupt_request", {}))
    run = powershell.finish(request)
    # The reply comes after the device has confirmed, which the kernel waits 2 s for; without that the text is another.
    assert device.is_idle
    assert run.status == "error"
    assert run.error["ename"] == "KeyboardInterrupt"
    assert run.error_text == "KeyboardInterrupt: the pipeline was stopped on press-01."
    assert run.texts("stdout") == "started\n"
    assert powershell.run("'still here' | Write-Output").result == "still here"


def test_a_widget_answers_while_a_command_runs(powershell: Any, sandbox: LocalSandbox) -> None:
    made = powershell.run(
        "%%python\nimport ipywidgets\nslider, copy = ipywidgets.IntSlider(), ipywidgets.IntText()\n"
        "slider.observe(lambda change: setattr(copy, 'value', 2 * change.new), 'value')\nprint(slider.comm.comm_id)"
    )
    client, request = powershell.client, powershell.begin(LONG)
    wait_until(lambda: not sandbox.device("press-01").is_idle, "the command was not started")
    state = {"method": "update", "state": {"value": 21}, "buffer_paths": []}
    client.shell_channel.send(client.session.msg("comm_msg", {"comm_id": made.texts("stdout").strip(), "data": state}))
    seen = [_comm_update(client), _comm_update(client)]
    assert {"value": 42} in seen
    assert not sandbox.device("press-01").is_idle
    powershell.manager.interrupt_kernel()
    assert powershell.finish(request).status == "error"


def _comm_update(client: Any) -> dict[str, Any]:
    """The next state that a widget of the kernel sends."""
    while True:
        message = client.get_iopub_msg(timeout=30)
        if message["msg_type"] == "comm_msg" and "state" in message["content"]["data"]:
            state: dict[str, Any] = message["content"]["data"]["state"]
            return state


def test_a_table_that_takes_long_is_shown_before_it_is_complete(powershell: Any) -> None:
    request = powershell.begin("'a', 'b' | Write-Output\nStart-Sleep -Seconds 600", watched=True)
    seen: queue.SimpleQueue[str] = queue.SimpleQueue()

    def stop(output: dict[str, Any]) -> None:
        if output["type"] == "display_data":
            seen.put(output["data"]["text/plain"])
            powershell.manager.interrupt_kernel()

    powershell.finish(request, on_output=stop)
    assert seen.get(timeout=1) == "a\nb"


def test_a_password_is_asked_for_without_echo_and_kept_out_of_the_output(powershell: Any, sandbox: LocalSandbox) -> None:
    password = sandbox.devices[0].password_file.read_text(encoding="utf-8").strip()
    run = powershell.run(f"%connect typed\nWrite-Output 'said {password}'", answers=(password,))
    assert run.status == "ok"
    assert run.texts("stdout").startswith("Connected to typed as PRESS-01\\aksadmin.")
    assert run.result == "said <redacted>"


def test_without_a_person_a_question_fails_at_once(powershell: Any) -> None:
    run = powershell.run("%connect typed")
    assert run.status == "error"
    assert "password of press-01" in run.error_text
    assert "keyring:" in run.error_text


def test_a_wrong_password_and_an_unknown_device_are_told_plainly(powershell: Any) -> None:
    run = powershell.run("%connect typed", answers=("wrong",))
    assert run.error_text.startswith("AuthenticationFailed: typed: ")
    run = powershell.run("%connect press-1")
    assert run.error_text == (
        "UsageError: there is no device 'press-1' in the inventory "
        + run.error["evalue"].partition("inventory ")[2]
        + "\n  next: did you mean press-01?"
    )


def test_without_a_session_a_cell_says_what_to_do(powershell: Any) -> None:
    assert powershell.run("%disconnect").texts("stdout") == "Disconnected from press-01.\n"
    run = powershell.run("Get-AksLiteFacts")
    assert run.error_text.splitlines() == ["UsageError: no device is connected", "  next: run %connect press-01 first"]
    assert powershell.run("%connect\nWrite-Output back").shown == ["back"]


def test_what_only_the_device_knows_of_a_command_is_asked_for_completion_and_for_switches(powershell: Any) -> None:
    powershell.run("%connect press-01")
    reply = powershell.client.complete("Write-Progress -Comp", reply=True, timeout=30)["content"]
    assert reply["matches"] == ["-Completed"]
    reply = powershell.client.inspect("Write-Output", reply=True, timeout=30)["content"]
    assert "-NoEnumerate" in reply["data"]["text/plain"]
    assert powershell.run("Write-Output -NoEnumerate 'a switch takes no value'").result == "a switch takes no value"


def test_script_text_needs_the_script_option_and_a_full_language_endpoint(powershell: Any) -> None:
    run = powershell.run("Write-Output 1\nforeach ($i in 1..3) { $i }")
    assert run.error_text.splitlines()[:3] == [
        "line 2, column 1: the keyword foreach is script text",
        "    foreach ($i in 1..3) { $i }",
        "    ^",
    ]
    assert run.shown == []
    assert powershell.run("%%ps --script\n1 + 1").error_text.startswith("NotPermitted: press-01: ")


def test_the_line_magics_work_in_python_cells(python_kernel: Any, sandbox: LocalSandbox) -> None:
    assert python_kernel.run("%connect press-01").texts("stdout") == "Connected to press-01 as PRESS-01\\aksadmin.\n"
    assert python_kernel.run("%devices").result.splitlines()[2].startswith("press-01 *")
    assert python_kernel.run("%%ps\nWrite-Output here").result == "here"
    password = sandbox.devices[0].password_file.read_text(encoding="utf-8").strip()
    assert python_kernel.run("%connect typed", answers=(password,)).status == "ok"
    assert python_kernel.run("%disconnect").texts("stdout") == "Disconnected from typed.\n"


def test_a_stock_python_kernel_gets_the_cells_by_an_extension(kernels: Callable[[str], Any], sandbox: LocalSandbox) -> None:
    stock = kernels("python3")
    assert stock.run("%load_ext akslite_ps_kernel\n%connect press-01").status == "ok"
    assert stock.run("%%ps --out names\nGet-Command Get-AksLiteF* | Select-Object Name").status == "ok"
    assert stock.run("names[0]['Name']").result == "'Get-AksLiteFacts'"
    assert stock.run("%%ps\nWrite-Host said\nWrite-Output given").shown == ["given"]
    assert "did you mean Get-AksLiteFacts?" in stock.run("%%ps\nGet-AksLiteFact").error_text
    request = stock.begin(f"%%ps\n{LONG}")
    wait_until(lambda: not sandbox.device("press-01").is_idle, "the command was not started")
    stock.manager.interrupt_kernel()
    assert stock.finish(request).error_text == "KeyboardInterrupt: the pipeline was stopped on press-01."
    assert sandbox.device("press-01").is_idle
