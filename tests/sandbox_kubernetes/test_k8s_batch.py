"""Jobs, CronJobs and pods that run once: how they come to an end."""

from __future__ import annotations

import datetime as dt

import pytest

from akslite_ps.sandbox.kubernetes.container_ends import end_of
from akslite_ps.sandbox.kubernetes.schedules import parse_schedule

JOBS = "/apis/batch/v1/namespaces/default/jobs"
CRON_JOBS = "/apis/batch/v1/namespaces/default/cronjobs"
TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}


def pod(*command, policy="Never"):
    return {"restartPolicy": policy, "containers": [{"name": "c", "image": "busybox:1", "command": list(command or ("true",))}]}


def job(*command, policy="Never", **spec):
    return {"metadata": {"name": "j"}, "spec": {"template": {"spec": pod(*command, policy=policy)}, **spec}}


def conditions(obj):
    return {item["type"]: item["reason"] for item in obj["status"].get("conditions") or () if item["status"] == "True"}


def pass_time(caller, seconds, step=5):
    for _ in range(0, seconds, step):
        caller.clock.tick(step)
        caller.get("/readyz")


def test_a_job_runs_its_pods_one_after_the_other_until_it_is_complete(caller):
    made = caller.create(JOBS, job("echo", "hi", completions=2))
    assert made["spec"]["selector"] == {"matchLabels": {"batch.kubernetes.io/controller-uid": made["metadata"]["uid"]}}
    assert made["spec"]["template"]["metadata"]["labels"]["job-name"] == "j"
    caller.clock.tick(1)
    assert [item["status"]["phase"] for item in caller.pods()] == ["Pending"]
    pass_time(caller, 60)
    done = caller.get(f"{JOBS}/j")
    assert conditions(done) == {"SuccessCriteriaMet": "CompletionsReached", "Complete": "CompletionsReached"}
    assert (done["status"]["succeeded"], done["status"].get("active")) == (2, None)
    assert [item["status"]["phase"] for item in caller.pods()] == ["Succeeded", "Succeeded"]
    cells = caller.get(JOBS, headers=TABLE)["rows"][0]["cells"]
    assert cells[:3] == ["j", "Complete", "2/2"]


def test_a_job_that_fails_is_tried_again_with_patience_and_then_given_up(caller):
    caller.create(JOBS, job("sh", "-c", "exit 3", backoffLimit=1))
    pass_time(caller, 20)
    assert caller.get(f"{JOBS}/j")["status"]["failed"] == 1
    pass_time(caller, 60)
    failed = caller.get(f"{JOBS}/j")
    assert conditions(failed) == {"FailureTarget": "BackoffLimitExceeded", "Failed": "BackoffLimitExceeded"}
    assert failed["status"]["failed"] == 2
    ended = caller.pods()[0]["status"]["containerStatuses"][0]["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (3, "Error")


def test_a_container_that_may_restart_does_so_with_growing_pauses(caller):
    caller.create("/api/v1/namespaces/default/pods", {"metadata": {"name": "p"}, "spec": pod("false", policy="OnFailure")})
    pass_time(caller, 20)
    status = caller.pods()[0]["status"]["containerStatuses"][0]
    assert status["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert status["lastState"]["terminated"]["exitCode"] == 1
    pass_time(caller, 120)
    assert caller.pods()[0]["status"]["containerStatuses"][0]["restartCount"] >= 2
    assert caller.pods()[0]["status"]["phase"] == "Running"


def test_an_indexed_job_gives_every_pod_its_number(caller):
    caller.create(JOBS, job("sleep", "4", completions=3, parallelism=3, completionMode="Indexed"))
    caller.clock.tick(1)
    names = {item["spec"]["hostname"]: item["metadata"]["annotations"] for item in caller.pods()}
    assert names == {f"j-{number}": {"batch.kubernetes.io/job-completion-index": str(number)} for number in range(3)}
    pass_time(caller, 30)
    assert "Complete" in conditions(caller.get(f"{JOBS}/j"))


def test_a_job_has_a_deadline_can_be_suspended_and_goes_by_itself(caller):
    caller.create(JOBS, job("sleep", "infinity", activeDeadlineSeconds=60, ttlSecondsAfterFinished=30))
    pass_time(caller, 70)
    assert conditions(caller.get(f"{JOBS}/j"))["Failed"] == "DeadlineExceeded"
    pass_time(caller, 40)
    caller.get(f"{JOBS}/j", expect=404)
    caller.create(JOBS, job("sleep", "60"))
    pass_time(caller, 10)
    merge = "application/merge-patch+json"
    caller.call("PATCH", f"{JOBS}/j", {"spec": {"suspend": True}}, content_type=merge)
    pass_time(caller, 10)
    assert caller.pods() == []
    assert conditions(caller.get(f"{JOBS}/j")) == {"Suspended": "JobSuspended"}
    caller.call("PATCH", f"{JOBS}/j", {"spec": {"suspend": False}}, content_type=merge)
    pass_time(caller, 90)
    assert "Complete" in conditions(caller.get(f"{JOBS}/j"))


def test_pods_of_a_deleted_job_go_with_it(caller):
    caller.create(JOBS, job("sleep", "600"))
    pass_time(caller, 10)
    caller.call("DELETE", f"{JOBS}/j", {"propagationPolicy": "Background"})
    pass_time(caller, 60)
    assert caller.pods() == []


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            {"metadata": {"name": "j"}, "spec": {"template": {"spec": {"containers": [{"name": "c", "image": "i"}]}}}},
            "Required value",
        ),
        (job(policy="Always"), 'Unsupported value: "Always": supported values: "OnFailure", "Never"'),
        (job(parallelism=-1), "must be greater than or equal to 0"),
        (job(completionMode="Indexed", parallelism=1), "when completion mode is Indexed"),
    ],
)
def test_a_job_that_cannot_run_is_refused(caller, body, words):
    assert words in caller.create(JOBS, body, expect=422)["message"]


def cron(schedule="*/10 * * * *", *command, **spec):
    template = {"spec": {"template": {"spec": pod(*command)}}}
    return {"metadata": {"name": "tick"}, "spec": {"schedule": schedule, "jobTemplate": template, **spec}}


def test_a_cron_job_makes_jobs_on_time_and_keeps_the_last_few(caller):
    caller.create(CRON_JOBS, cron())
    assert caller.get(JOBS)["items"] == []
    for _ in range(5):
        pass_time(caller, 600, step=60)
    pass_time(caller, 60)
    jobs = caller.get(JOBS)["items"]
    assert len(jobs) == 3
    assert all(item["metadata"]["ownerReferences"][0]["name"] == "tick" for item in jobs)
    stamps = [item["metadata"]["annotations"]["batch.kubernetes.io/cronjob-scheduled-timestamp"] for item in jobs]
    assert stamps == ["2026-04-01T08:30:00Z", "2026-04-01T08:40:00Z", "2026-04-01T08:50:00Z"]
    status = caller.get(f"{CRON_JOBS}/tick")["status"]
    assert status["lastScheduleTime"] == "2026-04-01T08:50:00Z"
    assert status["lastSuccessfulTime"] > "2026-04-01T08:50:00Z"


def test_what_was_missed_in_a_long_sleep_is_made_up_for_once(caller):
    caller.create(CRON_JOBS, cron("* * * * *"))
    caller.clock.tick(90 * 86400)
    assert len(caller.get(JOBS)["items"]) == 1


@pytest.mark.parametrize(("policy", "running"), [("Allow", 2), ("Forbid", 1), ("Replace", 1)])
def test_jobs_that_overlap_follow_the_policy(caller, policy, running):
    caller.create(CRON_JOBS, cron("* * * * *", "sleep", "100", concurrencyPolicy=policy))
    pass_time(caller, 125)
    names = [item["metadata"]["name"] for item in caller.get(JOBS)["items"] if not conditions(item)]
    assert len(names) == running


def test_a_suspended_cron_job_makes_none(caller):
    caller.create(CRON_JOBS, cron("* * * * *", suspend=True))
    pass_time(caller, 300, step=30)
    assert caller.get(JOBS)["items"] == []


@pytest.mark.parametrize("schedule", ["", "* * * *", "61 * * * *", "a * * * *", "5-1 * * * *", "*/0 * * * *"])
def test_a_schedule_that_is_none_is_refused(caller, schedule):
    assert "spec.schedule: Invalid value" in caller.create(CRON_JOBS, cron(schedule), expect=422)["message"]


@pytest.mark.parametrize(
    ("text", "zone", "after", "due"),
    [
        ("*/15 * * * *", None, "2026-04-01T08:01:00+00:00", "2026-04-01T08:15:00+00:00"),
        ("0 3 * * *", None, "2026-04-01T08:01:00+00:00", "2026-04-02T03:00:00+00:00"),
        ("0 3 * * *", "Europe/Berlin", "2026-07-01T08:01:00+00:00", "2026-07-02T01:00:00+00:00"),
        ("30 4 1,15 * fri", None, "2026-04-01T08:01:00+00:00", "2026-04-03T04:30:00+00:00"),
        ("0 0 29 feb *", None, "2026-04-01T08:01:00+00:00", "2028-02-29T00:00:00+00:00"),
        ("@hourly", None, "2026-04-01T08:00:00+00:00", "2026-04-01T09:00:00+00:00"),
        ("0 9-17/4 * * 1-5", None, "2026-04-03T17:30:00+00:00", "2026-04-06T09:00:00+00:00"),
        ("0 0 * * 7", None, "2026-04-01T08:01:00+00:00", "2026-04-05T00:00:00+00:00"),
    ],
)
def test_schedules_are_due_when_cron_would_be(text, zone, after, due):
    schedule = parse_schedule(text, zone)
    assert schedule.next_after(dt.datetime.fromisoformat(after)) == dt.datetime.fromisoformat(due)
    assert schedule.last_until(dt.datetime.fromisoformat(due)) == dt.datetime.fromisoformat(due)


def test_a_day_that_never_comes_is_never_due():
    assert parse_schedule("0 0 30 2 *").next_after(dt.datetime(2026, 1, 1, tzinfo=dt.UTC)) is None


@pytest.mark.parametrize(
    ("command", "seconds", "code"),
    [
        (["sleep", "30"], 30, 0),
        (["sh", "-c", "sleep 1m; exit 7"], 60, 7),
        (["/bin/sh", "-c", "echo a && false"], 5, 1),
        (["sleep", "infinity"], None, 0),
        (["sh", "-c", "while true; do echo a; sleep 5; done"], None, 0),
        (["/app", "--serve"], 5, 0),
        ([], 5, 0),
        (["sh", "-c", "echo 'unclosed"], 5, 0),
    ],
)
def test_how_a_container_ends_is_read_from_its_command(command, seconds, code):
    end = end_of({"command": command})
    assert (end.seconds, end.code if end.seconds is not None else 0) == (seconds, code)


def test_an_endless_loop_goes_on_writing(caller):
    log = "/api/v1/namespaces/default/pods/p/log"
    script = "echo begun; while true; do echo again; sleep 10; done"
    caller.create("/api/v1/namespaces/default/pods", {"metadata": {"name": "p"}, "spec": pod("sh", "-c", script)})
    pass_time(caller, 10)
    assert caller.get(log) == "begun\nagain\n"
    pass_time(caller, 20)
    assert caller.get(log) == "begun\nagain\nagain\nagain\n"
    caller.clock.tick(30 * 86400)
    assert len(caller.get(log).splitlines()) == 1001
    assert caller.get(log, sinceSeconds="15").splitlines() == ["again"] * 2


def test_what_a_command_echoes_is_in_the_log(caller):
    log = "/api/v1/namespaces/default/pods/p/log"
    script = "echo one; sleep 30; echo 'two  words'; exit 4"
    caller.create("/api/v1/namespaces/default/pods", {"metadata": {"name": "p"}, "spec": pod("sh", "-c", script)})
    assert "waiting to start" in caller.get(log, expect=400)["message"]
    pass_time(caller, 15)
    assert caller.get(log) == "one\n"
    pass_time(caller, 40)
    assert caller.get(log) == "one\ntwo  words\n"
    assert caller.get(log, tailLines="1") == "two  words\n"
    assert caller.get(log, tailLines="0") == ""
    stamp, _, line = caller.get(log, timestamps="true", tailLines="1").partition(" ")
    assert (stamp[:10], line) == ("2026-04-01", "two  words\n")
    assert "previous terminated container" in caller.get(log, expect=400, previous="true")["message"]
