"""The Job controller: pods that run to their end, as often as asked for, until they succeed or there were too many failures."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from akslite_ps.sandbox.kubernetes import resources
from akslite_ps.sandbox.kubernetes.assumptions import MOST_PODS_PER_SET
from akslite_ps.sandbox.kubernetes.deleting import DeleteOptions, remove
from akslite_ps.sandbox.kubernetes.objects import (
    Object,
    ObjectKey,
    annotations_of,
    condition,
    controller_of,
    name_of,
    namespace_of,
    parse_timestamp,
    set_condition,
    timestamp,
)
from akslite_ps.sandbox.kubernetes.pods import delete_pod, is_active, is_pod_ready, make_pod
from akslite_ps.sandbox.kubernetes.state import ClusterState
from akslite_ps.sandbox.kubernetes.store import Change, itself_or_owner

INDEX = "batch.kubernetes.io/job-completion-index"
_RESOURCE = "jobs.batch"
_COMPONENT = "job-controller"


class JobController:
    """Runs Jobs."""

    watches = frozenset({_RESOURCE, "pods"})

    def concerns(self, change: Change, obj: Object, state: ClusterState) -> Iterable[ObjectKey]:
        """The Job itself, or the one that a changed pod belongs to."""
        return itself_or_owner(change, obj, {"Job": _RESOURCE})

    def reconcile(self, key: ObjectKey, state: ClusterState) -> dt.datetime | None:
        """Start and end pods, count them, and say when the Job is over."""
        job = state.store.get(key)
        if job is None or "deletionTimestamp" in job["metadata"]:
            return None
        if is_over(job):
            return self._forget(job, state)
        spec, status = job["spec"], job.setdefault("status", {})
        pods = self._pods(job, state)
        active = [pod for pod in pods if is_active(pod)]
        status["succeeded"] = max(
            status.get("succeeded", 0), len(_indexes(pods, "Succeeded")) if _is_indexed(job) else _ended(pods, "Succeeded")
        )
        status["failed"] = max(status.get("failed", 0), _ended(pods, "Failed"))
        if spec.get("suspend"):
            self._suspend(job, active, state)
            return self._save(job, [], state)
        if "startTime" not in status:
            status["startTime"] = timestamp(state.now)
        if condition(job, "Suspended") is not None:
            set_condition(job, "Suspended", "False", state.now, reason="JobResumed", message="Job resumed")
        if self._finish(job, pods, active, state):
            return self._forget(job, state)
        if len(active) < self._wanted(job, pods):
            retry = self._when_to_retry(job, pods)
            if state.now < retry:
                self._save(job, active, state)
                return retry
            active += self._start(job, pods, self._wanted(job, pods) - len(active), state)
        for pod in active[max(self._wanted(job, pods), 0) :]:
            delete_pod(pod, state)
        return self._save(job, [pod for pod in active if is_active(pod)], state)

    def _pods(self, job: Object, state: ClusterState) -> list[Object]:
        uid = job["metadata"]["uid"]
        return [pod for pod in state.store.objects("pods", namespace_of(job)) if (controller_of(pod) or {}).get("uid") == uid]

    def _wanted(self, job: Object, pods: list[Object]) -> int:
        """How many pods are to run at a time now."""
        spec = job["spec"]
        parallel = min(spec.get("parallelism", 1), MOST_PODS_PER_SET.value)
        if spec.get("completions") is None:
            # A work queue: as soon as one has succeeded, no more are started.
            return 0 if job["status"]["succeeded"] else parallel
        return int(min(parallel, spec["completions"] - job["status"]["succeeded"]))

    def _start(self, job: Object, pods: list[Object], count: int, state: ClusterState) -> list[Object]:
        taken = _indexes(pods, "Succeeded") | _indexes([pod for pod in pods if is_active(pod)], None)
        free = [index for index in range(job["spec"].get("completions") or 0) if index not in taken]
        made = []
        for number in range(count):
            index = free[number] if _is_indexed(job) and number < len(free) else None

            def shape(pod: Object, index: int | None = index) -> None:
                if index is not None:
                    pod["metadata"].setdefault("annotations", {})[INDEX] = str(index)
                    pod["metadata"]["labels"][INDEX] = str(index)
                    pod["spec"]["hostname"] = f"{name_of(job)}-{index}"

            prefix = f"{name_of(job)}-" if index is None else f"{name_of(job)}-{index}-"
            pod = make_pod(job, prefix, state, changes=shape)
            state.event(job, "SuccessfulCreate", f"Created pod: {name_of(pod)}", component=_COMPONENT)
            made.append(pod)
        return made

    def _when_to_retry(self, job: Object, pods: list[Object]) -> dt.datetime:
        """A failed pod is replaced after 10 seconds, doubled with every failure up to six minutes."""
        ends = [
            parse_timestamp(item["state"]["terminated"]["finishedAt"])
            for pod in pods
            if pod.get("status", {}).get("phase") == "Failed"
            for item in pod["status"].get("containerStatuses") or ()
            if "terminated" in item["state"]
        ]
        if not ends:
            return dt.datetime.min.replace(tzinfo=dt.UTC)
        return max(ends) + dt.timedelta(seconds=min(10 * 2 ** min(job["status"]["failed"] - 1, 6), 360))

    def _finish(self, job: Object, pods: list[Object], active: list[Object], state: ClusterState) -> bool:
        spec, status = job["spec"], job["status"]
        wanted = spec.get("completions")
        done = status["succeeded"] >= wanted if wanted is not None else bool(status["succeeded"]) and not active
        restarts = sum(item["restartCount"] for pod in active for item in pod["status"].get("containerStatuses") or ())
        limit = spec.get("activeDeadlineSeconds")
        if done:
            self._end(job, active, "Complete", "CompletionsReached", "Reached expected number of succeeded pods", state)
        elif status["failed"] + restarts > spec.get("backoffLimit", 6):
            self._end(job, active, "Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit", state)
        elif limit is not None and (state.now - parse_timestamp(status["startTime"])).total_seconds() >= limit:
            self._end(job, active, "Failed", "DeadlineExceeded", "Job was active longer than specified deadline", state)
        else:
            return False
        return True

    def _end(self, job: Object, active: list[Object], how: str, reason: str, text: str, state: ClusterState) -> None:
        for pod in active:
            delete_pod(pod, state)
        first = "SuccessCriteriaMet" if how == "Complete" else "FailureTarget"
        for kind in (first, how):
            extra = {"lastProbeTime": timestamp(state.now)}
            set_condition(job, kind, "True", state.now, reason=reason, message=text, extra=extra)
        if how == "Complete":
            job["status"]["completionTime"] = timestamp(state.now)
            state.event(job, "Completed", "Job completed", component=_COMPONENT)
        else:
            state.event(job, reason, text, component=_COMPONENT, warning=True)
        self._save(job, [], state)

    def _suspend(self, job: Object, active: list[Object], state: ClusterState) -> None:
        for pod in active:
            delete_pod(pod, state)
        job["status"].pop("startTime", None)
        found = condition(job, "Suspended")
        set_condition(job, "Suspended", "True", state.now, reason="JobSuspended", message="Job suspended")
        if found is None or found["status"] != "True":
            state.event(job, "Suspended", "Job suspended", component=_COMPONENT)

    def _save(self, job: Object, active: list[Object], state: ClusterState) -> dt.datetime | None:
        status = job["status"]
        counts = {"active": len(active), "succeeded": status.pop("succeeded", 0), "failed": status.pop("failed", 0)}
        status.pop("active", None)
        status |= {key: value for key, value in counts.items() if value}
        status |= {"ready": sum(is_pod_ready(pod) for pod in active), "terminating": 0, "uncountedTerminatedPods": {}}
        state.put(resources.JOBS, job)
        limit = job["spec"].get("activeDeadlineSeconds")
        if limit is None or "startTime" not in status or is_over(job):
            return None
        return parse_timestamp(status["startTime"]) + dt.timedelta(seconds=limit)

    def _forget(self, job: Object, state: ClusterState) -> dt.datetime | None:
        """A Job that is over goes by itself where it says after how long."""
        life = job["spec"].get("ttlSecondsAfterFinished")
        if life is None:
            return None
        ends = [item["lastTransitionTime"] for item in job["status"]["conditions"] if item["type"] in {"Complete", "Failed"}]
        due = parse_timestamp(ends[0]) + dt.timedelta(seconds=life)
        if state.now < due:
            return due
        remove(state, resources.JOBS, job, DeleteOptions())
        return None


def is_over(job: Object) -> bool:
    """Whether a Job is complete or has failed."""
    found = (condition(job, "Complete"), condition(job, "Failed"))
    return any(item is not None and item["status"] == "True" for item in found)


def _is_indexed(job: Object) -> bool:
    return bool(job["spec"].get("completionMode") == "Indexed")


def _ended(pods: list[Object], phase: str) -> int:
    return sum(pod.get("status", {}).get("phase") == phase for pod in pods)


def _indexes(pods: list[Object], phase: str | None) -> set[int]:
    return {
        int(annotations_of(pod)[INDEX])
        for pod in pods
        if INDEX in annotations_of(pod) and (phase is None or pod.get("status", {}).get("phase") == phase)
    }
