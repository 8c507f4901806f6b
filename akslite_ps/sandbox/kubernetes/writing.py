"""Create, update and patch, from the body to the stored object."""

from __future__ import annotations

import copy
import json
import uuid
from collections.abc import Mapping

from akslite_ps.sandbox.kubernetes.admission import admit_changed, admit_new
from akslite_ps.sandbox.kubernetes.answers import Answer
from akslite_ps.sandbox.kubernetes.bodies import (
    APPLY_PATCH,
    JSON_PATCH,
    MERGE_PATCH,
    PATCH_TYPES,
    STRATEGIC_PATCH,
    check_identity,
    media_type,
    parse_body,
    read_object,
    shape,
)
from akslite_ps.sandbox.kubernetes.conforming import missing_fields
from akslite_ps.sandbox.kubernetes.custom_objects import custom_faults
from akslite_ps.sandbox.kubernetes.custom_types import served_form, stored_form
from akslite_ps.sandbox.kubernetes.definitions import Definitions
from akslite_ps.sandbox.kubernetes.deleting import remove_if_released
from akslite_ps.sandbox.kubernetes.objects import Object, ObjectKey, name_of, name_suffix, timestamp
from akslite_ps.sandbox.kubernetes.ownership import Writer, apply_configuration, note_update
from akslite_ps.sandbox.kubernetes.patches import json_patch, merge_patch, strategic_merge
from akslite_ps.sandbox.kubernetes.reading import render
from akslite_ps.sandbox.kubernetes.requests import Encoding, ResourceRequest
from akslite_ps.sandbox.kubernetes.resources import DEFINITIONS, PODS
from akslite_ps.sandbox.kubernetes.rules import check_rules
from akslite_ps.sandbox.kubernetes.state import GENERATION_GROUPS, ClusterState
from akslite_ps.sandbox.kubernetes.status import already_exists, bad_request, conflict, not_found, unsupported_media_type

_SERVER_SET = (
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "selfLink",
    "managedFields",
)
_KEPT = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "generateName")
_MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


class WriteHandler:
    """Writes for one cluster.

    Args:
        state: The cluster.
    """

    def __init__(self, state: ClusterState) -> None:
        self._state = state

    @property
    def _definitions(self) -> Definitions:
        return self._state.types.definitions

    def create(self, request: ResourceRequest, headers: Mapping[str, str], body: bytes, encoding: Encoding) -> Answer:
        """Create an object from the body."""
        conformed, warnings = shape(read_object(body, headers, request), request, self._definitions)
        obj = self._prepare_new(conformed.obj, request)
        admit_new(self._state, request.kind, obj)
        self._check(request, obj, None)
        key = ObjectKey(request.kind.resource, request.namespace, name_of(obj))
        if self._state.store.encoded(key) is not None:
            raise already_exists(request.kind.plural, request.kind.group, name_of(obj))
        self._note(None, obj, request, headers)
        stored = self._store(obj, request)
        return self._answer(stored, request, encoding, 201, warnings)

    def update(self, request: ResourceRequest, headers: Mapping[str, str], body: bytes, encoding: Encoding) -> Answer:
        """Replace an object by the body's."""
        obj = read_object(body, headers, request)
        if not obj["metadata"].get("name"):
            raise bad_request("name must be provided")
        before = self._current(request)
        conformed, warnings = shape(obj, request, self._definitions)
        conformed.obj["metadata"].pop("managedFields", None)
        self._check_version(conformed.obj, before, request)
        after = self._merge_protected(conformed.obj, before, request)
        admit_changed(self._state, request.kind, after, before)
        self._check(request, after, before)
        self._note(before, after, request, headers)
        return self._finish(after, before, request, encoding, warnings)

    def patch(self, request: ResourceRequest, headers: Mapping[str, str], body: bytes, encoding: Encoding) -> Answer:
        """Patch an object; an apply creates it where it does not exist."""
        how = media_type(headers)
        if how not in PATCH_TYPES:
            raise unsupported_media_type(how, PATCH_TYPES)
        data = parse_body(body, how)
        if how == APPLY_PATCH:
            return self._apply(request, data, encoding)
        before = self._current(request)
        patched = self._patched(before, data, how, request)
        if not isinstance(patched, dict):
            raise bad_request("the patch does not leave an object")
        check_identity(patched, request)
        conformed, warnings = shape(patched, request, self._definitions)
        self._check_version(conformed.obj, before, request)
        after = self._merge_protected(conformed.obj, before, request)
        admit_changed(self._state, request.kind, after, before)
        self._check(request, after, before)
        cleared = after["metadata"].pop("managedFields", None) == [{}]
        self._note(
            {**before, "metadata": {**before["metadata"], "managedFields": []}} if cleared else before, after, request, headers
        )
        return self._finish(after, before, request, encoding, warnings)

    def _patched(self, before: Object, data: object, how: str, request: ResourceRequest) -> object:
        if how == JSON_PATCH:
            return json_patch(copy.deepcopy(before), data)
        if not isinstance(data, dict):
            raise bad_request("error decoding patch: the patch must be an object")
        if how == MERGE_PATCH:
            return merge_patch(before, data)
        assert how == STRATEGIC_PATCH
        if request.kind.custom is not None:
            raise unsupported_media_type(how, (JSON_PATCH, MERGE_PATCH, APPLY_PATCH))
        return strategic_merge(before, data, self._definitions.named(request.kind.definition), self._definitions)

    def _apply(self, request: ResourceRequest, data: object, encoding: Encoding) -> Answer:
        manager = request.query.get("fieldManager", "")
        if not manager:
            raise bad_request('PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch')
        if not isinstance(data, dict):
            raise bad_request("the body of an apply must be an object")
        check_identity(data, request)
        if data["metadata"].get("managedFields"):
            raise bad_request("metadata.managedFields must be nil")
        conformed, warnings = shape(data, request, self._definitions)
        applied = conformed.obj
        before = self._state.store.get(ObjectKey(request.kind.resource, request.namespace, request.name))
        if before is not None:
            before = served_form(request.kind, before)
            self._check_version(applied, before, request)
        elif request.subresource:
            raise not_found(request.kind.plural, request.kind.group, request.name)
        for name in (*_SERVER_SET, "managedFields"):
            applied["metadata"].pop(name, None)
        schema = self._definitions.named(request.kind.definition)
        writer = Writer(manager, self._state.now, request.subresource)
        merged = apply_configuration(before, applied, writer, schema, self._definitions, force=request.flag("force"))
        if before is None:
            fields = merged["metadata"].pop("managedFields")
            obj = self._prepare_new(merged, request)
            admit_new(self._state, request.kind, obj)
            self._check(request, obj, None)
            obj["metadata"]["managedFields"] = fields
            return self._answer(self._store(obj, request), request, encoding, 201, warnings)
        fields = merged["metadata"]["managedFields"]
        after = self._merge_protected(merged, before, request)
        admit_changed(self._state, request.kind, after, before)
        self._check(request, after, before)
        if _content(after) == _content(before) and _owners(fields) == _owners(before["metadata"].get("managedFields") or []):
            return self._answer(before, request, encoding, 200, warnings)
        after["metadata"]["managedFields"] = fields
        return self._commit(after, request, encoding, warnings)

    def _prepare_new(self, obj: Object, request: ResourceRequest) -> Object:
        metadata = obj["metadata"]
        for name in _SERVER_SET:
            metadata.pop(name, None)
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = f"{metadata['generateName'][:58]}{name_suffix()}"
        metadata["uid"] = str(uuid.uuid4())
        metadata["creationTimestamp"] = timestamp(self._state.now)
        if _has_generation(request) and "spec" in obj:
            metadata["generation"] = 1
        if "status" in request.kind.subresources:
            obj.pop("status", None)
        return obj

    def _current(self, request: ResourceRequest) -> Object:
        before = self._state.store.get(ObjectKey(request.kind.resource, request.namespace, request.name))
        if before is None:
            raise not_found(request.kind.plural, request.kind.group, request.name)
        return served_form(request.kind, before)

    def _check_version(self, obj: Object, before: Object, request: ResourceRequest) -> None:
        wanted = obj["metadata"].get("resourceVersion")
        plural, group, name = request.kind.plural, request.kind.group, request.name
        if wanted and wanted != before["metadata"]["resourceVersion"]:
            raise conflict(plural, group, name, _MODIFIED)
        uid = obj["metadata"].get("uid")
        if uid and uid != before["metadata"]["uid"]:
            why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {before['metadata']['uid']}"
            raise conflict(plural, group, name, why)

    def _merge_protected(self, obj: Object, before: Object, request: ResourceRequest) -> Object:
        """The new object with everything this request may not change taken from the old one."""
        if request.subresource == "status":
            after = copy.deepcopy(before)
            if "status" in obj:
                after["status"] = obj["status"]
        else:
            after = obj
            if "status" in request.kind.subresources:
                after.pop("status", None)
                if "status" in before:
                    after["status"] = before["status"]
        for name in _KEPT:
            after["metadata"].pop(name, None)
            if name in before["metadata"]:
                after["metadata"][name] = before["metadata"][name]
        if _has_generation(request) and after.get("spec") != before.get("spec"):
            after["metadata"]["generation"] = before["metadata"].get("generation", 1) + 1
        return after

    def _check(self, request: ResourceRequest, obj: Object, before: Object | None) -> None:
        if request.kind.custom is not None:
            missing = custom_faults(obj, request.kind.custom.schema)
        else:
            missing = list(missing_fields(obj, self._definitions, request.kind.definition))
        check_rules(request.kind, obj, before, missing)

    def _note(self, before: Object | None, after: Object, request: ResourceRequest, headers: Mapping[str, str]) -> None:
        manager = request.query.get("fieldManager") or headers.get("User-Agent", "unknown").partition("/")[0]
        writer = Writer(manager, self._state.now, request.subresource)
        note_update(before, after, writer, self._definitions.named(request.kind.definition), self._definitions)

    def _finish(
        self, after: Object, before: Object, request: ResourceRequest, encoding: Encoding, warnings: Mapping[str, str]
    ) -> Answer:
        if _content(after) == _content(before):
            return self._answer(before, request, encoding, 200, warnings)
        return self._commit(after, request, encoding, warnings)

    def _commit(self, after: Object, request: ResourceRequest, encoding: Encoding, warnings: Mapping[str, str]) -> Answer:
        stored = self._store(after, request)
        if not request.dry_run:
            remove_if_released(self._state, request.kind, stored)
        return self._answer(stored, request, encoding, 200, warnings)

    def _store(self, obj: Object, request: ResourceRequest) -> Object:
        if request.dry_run:
            return obj
        before = self._state.store.get(ObjectKey(request.kind.resource, request.namespace, name_of(obj)))
        return served_form(request.kind, self._state.put(request.kind, stored_form(request.kind, obj, before)))

    def _answer(self, obj: Object, request: ResourceRequest, encoding: Encoding, code: int, warnings: Mapping[str, str]) -> Answer:
        made = render(self._state, request, obj, encoding, code)
        return Answer(made.body, made.code, made.content_type, warnings)


def _has_generation(request: ResourceRequest) -> bool:
    kind = request.kind
    return kind.group in GENERATION_GROUPS or kind is PODS or kind is DEFINITIONS or kind.custom is not None


def _content(obj: Object) -> str:
    metadata = {
        key: value for key, value in obj["metadata"].items() if key not in {"managedFields", "resourceVersion", "generation"}
    }
    return json.dumps({**obj, "metadata": metadata}, sort_keys=True)


def _owners(fields: list[Object]) -> list[Object]:
    return [{key: value for key, value in entry.items() if key != "time"} for entry in fields]
