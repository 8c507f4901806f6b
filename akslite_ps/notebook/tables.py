"""Tables that read well everywhere: Format-Table style as plain text, HTML in light and dark themes.

Used by runbooks, lessons and widgets for nodes, pods, findings, steps and facts. A table holds finished text: nothing
is read or computed when it is shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from akslite_ps.cluster import NodeHealth, PodHealth
from akslite_ps.notebook import style
from akslite_ps.operations.plan import Run
from akslite_ps.secrets import redact


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Args:
        title: Its heading.
        right: Align right, for numbers.
        state: The cells are words of state and get a coloured dot.
        tight: Never fold the cells.
    """

    title: str
    right: bool = False
    state: bool = False
    tight: bool = False


class Table:
    """A table for people; the last expression of a cell, or given to ``display``.

    Args:
        columns: Headings, or :class:`Column` where more is to be said.
        rows: Cells; None is shown as nothing.
        title: Shown above.
        empty: Shown instead of the table where there are no rows.
        note: A sentence below.
    """

    def __init__(
        self,
        columns: Sequence[str | Column],
        rows: Iterable[Sequence[object]],
        *,
        title: str = "",
        empty: str = "nothing to show",
        note: str = "",
    ) -> None:
        self.columns = tuple(c if isinstance(c, Column) else Column(c) for c in columns)
        self.rows = tuple(tuple(_text(cell) for cell in row) for row in rows)
        self.title = title
        self.empty = empty
        self.note = note
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"a row has {len(row)} cells, the table {len(self.columns)} columns")

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return self.text()

    def without(self, title: str) -> Table:
        """The same table without one column."""
        place = [column.title for column in self.columns].index(title)
        rows = ((*row[:place], *row[place + 1 :]) for row in self.rows)
        return Table((*self.columns[:place], *self.columns[place + 1 :]), rows, title=self.title, empty=self.empty, note=self.note)

    def without_title(self) -> Table:
        """The same table for a place that has its own heading."""
        return Table(self.columns, self.rows, empty=self.empty, note=self.note)

    def text(self) -> str:
        """The table as plain text, columns aligned, in the style of PowerShell's Format-Table."""
        parts = [self.title] if self.title else []
        if self.rows:
            cells = [[" ".join(cell.split()) for cell in row] for row in self.rows]
            widths = [max(len(c.title), *(len(row[i]) for row in cells)) for i, c in enumerate(self.columns)]
            parts.append("")
            parts.append(self._line([c.title for c in self.columns], widths))
            parts.append(self._line(["-" * len(c.title) for c in self.columns], widths))
            parts += [self._line(row, widths) for row in cells]
        else:
            parts.append(self.empty)
        if self.note:
            parts += ["", self.note]
        return "\n".join(parts).strip("\n")

    def _line(self, cells: Sequence[str], widths: Sequence[int]) -> str:
        aligned = (
            cell.rjust(w) if column.right else cell.ljust(w) for cell, w, column in zip(cells, widths, self.columns, strict=True)
        )
        return " ".join(aligned).rstrip()

    def inner_html(self) -> str:
        """The table as HTML without the style, to be put inside :func:`akslite_ps.notebook.style.block`."""
        parts = [f"<h4>{style.escape(self.title)}</h4>"] if self.title else []
        if self.rows:
            head = "".join(f"<th{_class(c)}>{style.escape(c.title)}</th>" for c in self.columns)
            body = "".join(f"<tr>{self._row(row)}</tr>" for row in self.rows)
            grid = f'<table class="akslite-table"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
            parts.append(f'<div class="akslite-scroll">{grid}</div>')
        else:
            parts.append(f'<p class="akslite-soft">{style.escape(self.empty)}</p>')
        if self.note:
            parts.append(f'<p class="akslite-soft">{style.escape(self.note)}</p>')
        return "".join(parts)

    def _row(self, row: Sequence[str]) -> str:
        return "".join(
            f"<td{_class(column)}>{style.state(cell) if column.state else style.escape(cell)}</td>"
            for cell, column in zip(row, self.columns, strict=True)
        )

    def html(self) -> str:
        """The table as HTML with its style."""
        return style.block(self.inner_html())

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": self.text(), "text/html": self.html()}


class FindingLike(Protocol):
    """What a finding of a plan and a finding of a cluster have in common."""

    @property
    def title(self) -> str: ...
    @property
    def severity(self) -> str: ...
    @property
    def read(self) -> str: ...
    @property
    def needed(self) -> str: ...
    @property
    def action(self) -> str: ...


def nodes_table(nodes: Iterable[NodeHealth], *, title: str = "Nodes") -> Table:
    """The nodes of a cluster, as ``kubectl get nodes -o wide`` shows them, without ages."""
    nodes = list(nodes)
    table = Table(
        (
            _tight("Name"),
            _state("Status"),
            "Roles",
            _tight("Version"),
            _tight("Internal IP"),
            "OS image",
            "Container runtime",
            "Message",
        ),
        (
            (n.name, n.status, ", ".join(n.roles), n.version, n.internal_ip, n.os_image, n.container_runtime, n.message)
            for n in nodes
        ),
        title=title,
        empty="the cluster has no nodes",
    )
    return table if any(node.message for node in nodes) else table.without("Message")


def pods_table(pods: Iterable[PodHealth], *, title: str = "System pods") -> Table:
    """Pods, as ``kubectl get pods -A`` shows them, without ages."""
    pods = list(pods)
    table = Table(
        (
            _tight("Namespace"),
            _tight("Name"),
            Column("Ready", right=True),
            _state("Status"),
            Column("Restarts", right=True),
            "Message",
        ),
        ((p.namespace, p.name, f"{p.ready}/{p.containers}", p.status, p.restarts, p.message) for p in pods),
        title=title,
        empty="there are no pods",
    )
    return table if any(pod.message for pod in pods) else table.without("Message")


def findings_table(findings: Iterable[FindingLike], *, title: str = "Findings") -> Table:
    """Findings of a plan or of a cluster, what is to be mended first."""
    order = {"error": 0, "warning": 1, "info": 2}
    ranked = sorted(findings, key=lambda finding: order.get(finding.severity, 3))
    table = Table(
        (_state("Result"), _tight("Check"), "Read", "Needed", "What to do"),
        ((f.severity, f.title, f.read, f.needed, f.action if f.severity != "ok" else "") for f in ranked),
        title=title,
        empty="nothing was checked",
    )
    return table if any(finding.severity != "ok" and finding.action for finding in ranked) else table.without("What to do")


def run_table(run: Run, *, title: str = "Result") -> Table:
    """How every step of a run ended; steps it did not reach are said to be not run."""
    results = {result.step_id: result for result in run.results}
    rows = []
    for number, step in enumerate(run.plan.steps, start=1):
        result = results.get(step.id)
        seconds = (result.ended - result.started).total_seconds() if result and result.started and result.ended else None
        rows.append(
            (
                number,
                step.title,
                result.outcome.value if result else "not run",
                "" if seconds is None else duration(seconds),
                result.detail if result else "",
            )
        )
    return Table(
        (Column("Step", right=True), "What", _state("Outcome"), Column("Took", right=True, tight=True), "Detail"),
        rows,
        title=title,
        empty="the plan has no steps",
        note=f"Run {run.run_id} on {run.plan.device}: {run.outcome.value if run.finished else 'not finished'}.",
    )


def facts_table(facts: Mapping[str, object], *, title: str = "") -> Table:
    """Names and values; pairs without a value are left out."""
    return Table(
        (_tight("Name"), "Value"),
        ((name, _value(value)) for name, value in facts.items() if value is not None and value not in ("", (), [])),
        title=title,
    )


def duration(seconds: float) -> str:
    """Seconds for people: ``45 s``, ``12 min``, ``1 h 05 min``."""
    whole = max(0, round(seconds))
    if whole < 90:
        return f"{whole} s"
    minutes = round(whole / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02} min"


def _tight(title: str) -> Column:
    return Column(title, tight=True)


def _state(title: str) -> Column:
    return Column(title, state=True, tight=True)


def _class(column: Column) -> str:
    names = [name for name, on in (("akslite-right", column.right), ("akslite-tight", column.tight)) if on]
    return f' class="{" ".join(names)}"' if names else ""


def _text(cell: object) -> str:
    return "" if cell is None else redact(str(cell))


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(str(item) for item in value)
    return str(value)
