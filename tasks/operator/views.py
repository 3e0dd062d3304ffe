"""How an operator's commands look in a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table

from tasks.customer.terminal import plain
from tasks.customer.views import draw_records


def draw_table(rows: Sequence[Mapping[str, Any]], *columns: str) -> Table:
    """Draw *columns* of *rows*, one line a row. The first one, which is copied, is never cut; the others are folded."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        width = max((len(_text(row.get(column))) for row in rows), default=0) if column == columns[0] else None
        table.add_column(column.replace("_", " "), min_width=width, overflow="fold")
    for row in rows:
        table.add_row(*(plain(_text(row.get(column))) for column in columns))
    return table


def draw_facts(facts: Mapping[str, Any]) -> Table:
    """Draw one thing, one line a fact."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, value in facts.items():
        table.add_row(plain(name.replace("_", " "), "dim"), plain(_text(value)))
    return table


def draw_sites(sites: Iterable[Mapping[str, Any]]) -> RenderableType:
    """Draw sites with the DNS records their owners must set, to be sent on."""
    parts = ((plain(f"{site['hostname']} ({site['app']})", "bold"), draw_records(site)) for site in sites)
    return Group(*(part for pair in parts for part in pair))


def draw_hand_over(shown: Mapping[str, Any]) -> RenderableType:
    """Draw one hand-over, and below it what an approval would be for."""
    certificate = shown["certificate"] or {}
    facts = {name: shown[name] for name in ("id", "hostname", "account", "stage", "turn", "detail", "ticket_id")}
    facts |= {"flow_run": shown["flow_run_id"], "run_state": shown["run_state"]}
    if "plan" not in shown:
        return draw_facts(facts | {"certificate": certificate.get("id")})
    return Group(draw_facts(facts), plain("\nthe plan", "bold"), draw_facts(shown["plan"]))


def draw_audit(entries: Iterable[Mapping[str, Any]]) -> RenderableType:
    """Draw the audit trail; what is evidence is short enough for a line."""
    rows = [{**entry, "sha256": entry["sha256"][:12]} for entry in entries]
    return draw_table(rows, "seq", "at", "actor", "action", "subject", "evidence", "sha256")


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={_text(part)}" for name, part in value.items())
    return "-" if value is None else str(value)
