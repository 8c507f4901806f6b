"""The CronJob controller: a Job whenever the schedule is due, and an end to the oldest of them."""

from __future__ import annotations

import copy
import datetime as dt
from collections.abc import Iterable

from akslite_ps.sandbox.kubernetes import resources
from akslite_ps.sandbox.kubernetes.defaults import complete_job
from akslite_ps.sandbox.kubernetes.deleting import DeleteOptions, remove
from akslite_ps.sandbox.kubernetes.jobs import is_over
from akslite_ps.sandbox.kubernetes.objects import (
    Object,
    ObjectKey,
    condition,
    controller_of,
    name_of,
    namespace_of,
    owner_reference,
    parse_timestamp,
    timestamp,
)
from akslite_ps.sandbox.kubernetes.schedules import Schedule, parse_schedule
from akslite_ps.sandbox.kubernetes.state import ClusterState
from akslite_ps.sandbox.kubernetes.store import Change, itself_or_owner

_RESOURCE = "cronjobs.batch"
_COMPONENT = "cronjob-controller"


class CronJobController:
    """Makes Jobs on schedule."""

    watches = frozenset({_RESOURCE, "jobs.batch"})

    def concerns(self, change: Change, obj: Object, state: ClusterState) -> Iterable[ObjectKey]:
        """The CronJob itself, or the one that made a changed Job."""
        return itself_or_owner(change, obj, {"CronJob": _RESOURCE})

    def reconcile(self, key: ObjectKey, state: ClusterState) -> dt.datetime | None:
        """Make the Job that is due, note what runs, and forget old Jobs."""
        cron_job = state.store.get(key)
        if cron_job is None or "deletionTimestamp" in cron_job["metadata"]:
            return None
        jobs = self._jobs(cron_job, state)
        status = cron_job.setdefault("status", {})
        self._note(cron_job, jobs)
        self._forget(cron_job, jobs, state)
        spec = cron_job["spec"]
        if spec.get("suspend"):
            state.put(resources.CRON_JOBS, cron_job)
            return None
        schedule = parse_schedule(spec["schedule"], spec.get("timeZone"))
        last = parse_timestamp(status.get("lastScheduleTime") or cron_job["metadata"]["creationTimestamp"])
        # After a long sleep only the last of the missed moments counts, as after a stop of the real controller.
        missed = schedule.last_until(state.horizon)
        if missed is None or missed <= last:
            state.put(resources.CRON_JOBS, cron_job)
            return schedule.next_after(state.now)
        if missed > state.now:
            state.put(resources.CRON_JOBS, cron_job)
            return missed
        self._run(cron_job, jobs, missed, state)
        state.put(resources.CRON_JOBS, cron_job)
        return _next(schedule, state)

    def _jobs(self, cron_job: Object, state: ClusterState) -> list[Object]:
        uid = cron_job["metadata"]["uid"]
        return [
            job for job in state.store.objects("jobs.batch", namespace_of(cron_job)) if (controller_of(job) or {}).get("uid") == uid
        ]

    def _note(self, cron_job: Object, jobs: list[Object]) -> None:
        status = cron_job["status"]
        active = [_reference(job) for job in jobs if not is_over(job)]
        status.pop("active", None)
        if active:
            status["active"] = active
        ends = [job["status"]["completionTime"] for job in jobs if "completionTime" in job.get("status", {})]
        if ends:
            status["lastSuccessfulTime"] = max([*ends, status.get("lastSuccessfulTime", "")])

    def _run(self, cron_job: Object, jobs: list[Object], at: dt.datetime, state: ClusterState) -> None:
        spec, status = cron_job["spec"], cron_job["status"]
        deadline = spec.get("startingDeadlineSeconds")
        if deadline is not None and (state.now - at).total_seconds() > deadline:
            text = f"Missed scheduled time to start a job: {timestamp(at)}"
            state.event(cron_job, "MissSchedule", text, component=_COMPONENT, warning=True)
            return
        running = [job for job in jobs if not is_over(job)]
        if running and spec.get("concurrencyPolicy") == "Forbid":
            text = "Not starting job because prior execution is running and concurrency policy is Forbid"
            state.event(cron_job, "JobAlreadyActive", text, component=_COMPONENT)
            return
        if running and spec.get("concurrencyPolicy") == "Replace":
            for other in running:
                state.event(cron_job, "SuccessfulDelete", f"Deleted job {name_of(other)}", component=_COMPONENT)
                remove(state, resources.JOBS, other, DeleteOptions())
            status.pop("active", None)
        template = copy.deepcopy(spec["jobTemplate"])
        metadata = template.get("metadata") or {}
        job: Object = {
            "kind": "Job",
            "metadata": {
                "name": f"{name_of(cron_job)[:52]}-{int(at.timestamp()) // 60}",
                "namespace": namespace_of(cron_job),
                "annotations": {
                    **(metadata.get("annotations") or {}),
                    "batch.kubernetes.io/cronjob-scheduled-timestamp": timestamp(at),
                },
                "ownerReferences": [owner_reference(cron_job)],
            },
            "spec": template["spec"],
        }
        if metadata.get("labels"):
            job["metadata"]["labels"] = metadata["labels"]
        complete_job(job)
        status["lastScheduleTime"] = timestamp(at)
        if state.get(resources.JOBS, name_of(job), namespace_of(job)) is None:
            made = state.add(resources.JOBS, job)
            status["active"] = [*(status.get("active") or ()), _reference(made)]
            state.event(cron_job, "SuccessfulCreate", f"Created job {name_of(made)}", component=_COMPONENT)

    def _forget(self, cron_job: Object, jobs: list[Object], state: ClusterState) -> None:
        """Keep so many Jobs of each outcome as the CronJob says."""
        for kind, limit in (("Complete", "successfulJobsHistoryLimit"), ("Failed", "failedJobsHistoryLimit")):
            over = [job for job in jobs if (condition(job, kind) or {}).get("status") == "True"]
            over.sort(key=lambda job: str(job["metadata"]["creationTimestamp"]))
            for job in over[: max(0, len(over) - cron_job["spec"][limit])]:
                remove(state, resources.JOBS, job, DeleteOptions())
                state.event(cron_job, "SuccessfulDelete", f"Deleted job {name_of(job)}", component=_COMPONENT)


def _next(schedule: Schedule, state: ClusterState) -> dt.datetime | None:
    return schedule.next_after(max(state.now, state.horizon))


def _reference(job: Object) -> Object:
    metadata = job["metadata"]
    return {
        "kind": "Job",
        "namespace": metadata["namespace"],
        "name": metadata["name"],
        "uid": metadata["uid"],
        "apiVersion": "batch/v1",
        "resourceVersion": metadata.get("resourceVersion", ""),
    }
