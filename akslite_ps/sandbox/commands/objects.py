"""ForEach-Object with a member, and Get-Member."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from akslite_ps.sandbox.embedded.cmdlet import Call, CommandInfo, cmdlet
from akslite_ps.sandbox.embedded.parameters import parameter, switch
from akslite_ps.sandbox.embedded.values import is_sequence, property_names, property_of, text_of, type_name_of, wildcard
from akslite_ps.sandbox.engine import EnumValue, PsValue

_MEMBER_TYPES = {"NoteProperty": 8, "Property": 4, "Method": 64}
_METHODS = ("Equals", "GetHashCode", "GetType", "ToString")
_SIGNATURES = {
    "Equals": "bool Equals(System.Object obj)",
    "GetHashCode": "int GetHashCode()",
    "GetType": "type GetType()",
    "ToString": "string ToString()",
}
_SHORT_NAMES = {
    "System.String": "string",
    "System.Int32": "int",
    "System.Int64": "long",
    "System.Boolean": "bool",
    "System.Double": "double",
}


async def for_each_object(call: Call) -> AsyncIterator[Any]:
    """The named property of every object; the elements of a list one by one, as PowerShell puts them out.

    Of the methods only ToString is known here. What an object does not have is null.
    """
    name = call["MemberName"]
    async for value in call.items():
        found, inner = property_of(value, name)
        if not found and value is not None and name.casefold() == "tostring":
            inner = text_of(value)
        for item in inner if is_sequence(inner) else [inner]:
            yield item


async def get_member(call: Call) -> AsyncIterator[PsValue]:
    patterns = [wildcard(name) for name in call["Name"] or ["*"]]
    seen: set[tuple[str, tuple[str, ...]]] = set()
    count = 0
    async for value in call.items():
        count += 1
        shape = (type_name_of(value), tuple(property_names(value)))
        if value is None or shape in seen:
            continue
        seen.add(shape)
        for member in sorted(
            _members(value), key=lambda m: (text_of(m.properties["MemberType"]) != "Method", str(m.properties["Name"]))
        ):
            if any(pattern.fullmatch(str(member.properties["Name"])) for pattern in patterns):
                yield member
    if not count:
        call.error(
            "You must specify an object for the Get-Member cmdlet.",
            "NoObjectInGetMember",
            "CloseError",
            exception="System.InvalidOperationException",
        )


def _members(value: Any) -> list[PsValue]:
    type_name = type_name_of(value)
    custom = isinstance(value, PsValue) and (not value.type_names or "PSCustomObject" in " ".join(value.type_names))
    kind = "NoteProperty" if custom else "Property"
    found = [_member(type_name, name, "Method", _SIGNATURES[name]) for name in _METHODS]
    for name in property_names(value):
        item = property_of(value, name)[1]
        full_name = type_name_of(item)
        item_type = full_name.rpartition(".")[2] if isinstance(item, EnumValue) else _SHORT_NAMES.get(full_name, full_name)
        definition = f"{item_type} {name}={text_of(item)}" if custom else f"{item_type} {name} {{get;}}"
        found.append(_member(type_name, name, kind, definition))
    return found


def _member(type_name: str, name: str, kind: str, definition: str) -> PsValue:
    return PsValue(
        {
            "TypeName": type_name,
            "Name": name,
            "MemberType": EnumValue("System.Management.Automation.PSMemberTypes", _MEMBER_TYPES[kind], kind),
            "Definition": definition,
        },
        ("Microsoft.PowerShell.Commands.MemberDefinition", "System.Object"),
        definition,
    )


_INPUT = parameter("InputObject", "PSObject", from_pipeline=True)
COMMANDS: tuple[CommandInfo, ...] = (
    cmdlet(
        "ForEach-Object",
        for_each_object,
        _INPUT,
        parameter("MemberName", "String", position=0, mandatory=True),
        module="Microsoft.PowerShell.Core",
        class_name="ForEachObjectCommand",
        synopsis="Takes one property of every object.",
        read_only=True,
    ),
    cmdlet(
        "Get-Member",
        get_member,
        _INPUT,
        parameter("Name", "String[]", position=0),
        parameter("MemberType", "String", aliases=("Type",)),
        switch("Force"),
        module="Microsoft.PowerShell.Utility",
        class_name="GetMemberCommand",
        synopsis="Tells the properties and methods of objects.",
        read_only=True,
    ),
)
