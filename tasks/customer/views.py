"""How hand-overs, sites and tickets look in a terminal. Everything drawn comes from the front desk, as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from rich.console import Group
from rich.table import Table

from tasks.customer.terminal import plain, unbroken
from tasks.customer.unkeyed import unkeyed

if TYPE_CHECKING:
    from rich.text import Text

_TURNS: Final = {
    "customer": ("yours", "bold yellow"),
    "operator": ("the platform's operators", "cyan"),
    "platform": ("the platform", "cyan"),
    "nobody": ("nobody", "dim"),
}
_STEPS: Final = (
    ("opening", "open the drop"),
    ("awaiting-upload", "upload the sealed files"),
    ("checking", "check domain and files"),
    ("awaiting-ticket", "file the ticket"),
    ("awaiting-approval", "approval by an operator"),
    ("provisioning", "put it on both edges"),
    ("completed", "done: served, billed, drop destroyed"),
)


def draw_account(account: Mapping[str, Any]) -> Text:
    """Draw whose token it was."""
    return plain(f"Logged in to {account['platform']} as {account['account']} ({account['contact']}).", "bold")


def draw_hand_overs(hand_overs: Iterable[Mapping[str, Any]]) -> Table:
    """Draw one line a hand-over."""
    table = _table("name", "hostname", "stage", "whose turn")
    for each in hand_overs:
        table.add_row(plain(each["name"]), plain(each["hostname"]), plain(each["stage"]), _draw_turn(each))
    return table


def draw_hand_over(hand_over: Mapping[str, Any]) -> Group:
    """Draw one hand-over: its steps, where it stands, whose turn it is, what to do."""
    lines = [plain(f"{hand_over['name']}: {hand_over['hostname']}  ({hand_over['id']})", "bold")]
    stands_at = _find_position(hand_over["stage"])
    if stands_at is None:
        lines.append(plain(f"  ended: {hand_over['stage']}", "bold red"))
    else:
        lines.extend(_draw_step(text, index - stands_at) for index, (_, text) in enumerate(_STEPS))
    if certificate := hand_over.get("certificate"):
        lines.append(plain(f"certificate: {certificate['subject']}, until {certificate['not_after'][:10]}"))
        lines.append(plain(f"SHA-256:     {certificate['leaf_sha256']}"))
    if hand_over.get("ticket_id"):
        lines.append(plain(f"ticket:      {hand_over['ticket_id']}"))
    lines.append(plain("whose turn:  ").append_text(_draw_turn(hand_over)))
    return Group(*lines, _draw_message(hand_over["detail"]))


def draw_request(made: Mapping[str, Any]) -> Group:
    """Draw what was written, what for, and what to do with it."""
    return Group(
        plain(f"Written: {', '.join(made['files'])}. Keep {made['key_file']} secret.", "bold"),
        plain(f"names:   {', '.join(made['names'])}"),
        plain(f"key:     {made['key_type']}, SHA-256 of its public half:\n         {made['spki_sha256']}"),
        plain(made["next"]),
    )


def draw_created(created: Mapping[str, Any]) -> Group:
    """Draw an open drop, and what to do next."""
    name = created["hand_over"]["name"]
    lines: list[Any] = [
        plain(f"The drop {name} is open. Its invitation is in {created['invitation']} (keep it secret).", "bold"),
        plain("1. Put your private key and what your certificate authority sent you into a directory, then:"),
        unbroken(f"     certferry doctor ./directory --hostname {created['hand_over']['hostname']}"),
        unbroken(f"     certferry push {name} ./directory"),
    ]  # fmt: skip
    if site := created["site"]:
        lines += [plain("2. Have these DNS records:"), draw_records(site)]
    lines.append(plain(f"3. When your files are checked: certferry ticket file {name}\n   Follow it: certferry status"))
    return Group(*lines)


def draw_pushed(pushed: Mapping[str, Any], name: str) -> Group:
    """Draw the end of a push."""
    lines = [plain(f"Sealed and uploaded. Only the platform can open it, and only for {pushed['hostname']}.", "bold")]
    if pushed["hand_over"] is None:
        lines.append(plain("The front desk was not told; the platform will notice the upload by itself in a while."))
    else:
        lines.append(plain(f"Follow it: certferry status {name}"))
    return Group(*lines)


def draw_records(site: Mapping[str, Any]) -> Group:
    """Draw the DNS records of a site, a line each, to be copied."""
    lines = [unbroken(f"    {x['name']}. {x['type']} {_zone_value(x)}", "green") for x in site["records"]]
    if site["addresses"]:
        lines.append(plain(f"    or, for an apex, A/AAAA {', '.join(site['addresses'])}"))
    return Group(*lines)


def draw_sites(sites: Iterable[Mapping[str, Any]]) -> Group:
    """Draw each hostname with its records and what it is served with."""
    lines: list[Any] = []
    for site in sites:
        lines += [plain(f"{site['hostname']}  (app {site['app']})", "bold"), _draw_served(site)]
        lines += (
            [_draw_switch(site["force_https"]), draw_records(site)] if site["force_https"] else [draw_records(site)]
        )
    return Group(*(lines or [plain("No hostnames yet; the platform's operators add them.")]))


def draw_statement(statement: Mapping[str, Any]) -> Group:
    """Draw what a month costs, a line each hostname and price, and the total."""
    days, currency = statement["days_in_month"], statement["currency"]
    table = _table("hostname", "pair", "days", "MB", "MB and month", currency)
    for line in statement["lines"]:
        cells = (line["hostname"], line["placement"], f"{line['days']} of {days}", line["megabytes"])
        table.add_row(*(plain(str(cell)) for cell in (*cells, line["unit_price"], line["amount"])))
    state = "" if statement["final"] else ", until today"
    return Group(
        plain(f"{statement['account']}, {statement['month']}{state} (days of {statement['time_zone']})", "bold"),
        *([table] if statement["lines"] else [plain("Nothing was charged.")]),
        plain(f"Total: {statement['total']} {currency}", "bold"),
    )


def draw_tickets(tickets: Iterable[Mapping[str, Any]]) -> Table:
    """Draw one line a ticket."""
    table = _table("ticket", "state", "subject")
    for each in tickets:
        table.add_row(*(plain(each[column]) for column in ("id", "state", "subject")))
    return table


def draw_ticket(ticket: Mapping[str, Any]) -> Group:
    """Draw a ticket with its messages."""
    lines: list[Any] = [plain(f"{ticket['id']} ({ticket['state']}): {ticket['subject']}", "bold")]
    for message in ticket["messages"]:
        lines += [plain(f"\n{message['author']}, {message['at'][:16].replace('T', ' ')} UTC", "dim")]
        lines += [_draw_message(message["body"])]
    return Group(*lines)


def _draw_message(text: str) -> Group:
    """Draw what a person or the platform wrote; indented lines are commands, to be copied."""
    lines = unkeyed(text).split("\n")  # before: a key has many
    return Group(*(unbroken(x) if x.startswith("    ") else plain(x) for x in lines))


def _table(*columns: str) -> Table:
    """Give an empty table whose cells are never cut off: ids and names are there to be copied."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        table.add_column(column, overflow="fold", min_width=33 if column == "ticket" else None)
    return table


def _draw_turn(hand_over: Mapping[str, Any]) -> Text:
    text, style = _TURNS.get(hand_over["turn"], (hand_over["turn"], ""))
    return plain(text, style)


def _find_position(stage: str) -> int | None:
    """Give the number of the step a stage is at, one past the last when all are done; None if it ended otherwise."""
    if stage == "completed":
        return len(_STEPS)
    return next((index for index, (name, _) in enumerate(_STEPS) if name == stage), None)


def _draw_step(text: str, distance: int) -> Text:
    if distance < 0:
        return plain(f"  [x] {text}", "green")
    return plain(f"  [>] {text}", "bold") if distance == 0 else plain(f"  [ ] {text}", "dim")


def _draw_served(site: Mapping[str, Any]) -> Text:
    served = site["served"]
    if served is None:
        return plain("  served over HTTP only")
    seen = f"seen on both edges {served['proven_at'][:16]}" if served["proven_at"] else "not yet seen on both edges"
    return plain(f"  HTTPS until {served['not_after'][:10]}, SHA-256 {served['leaf_sha256'][:16]}..., {seen}")


def _draw_switch(switch: Mapping[str, Any]) -> Text:
    redirect = "plain HTTP is sent to HTTPS" if switch["redirect"] else "plain HTTP is not redirected any more"
    hsts = f", HSTS {switch['hsts']}" if switch["hsts"] else ""
    memory = f"; browsers may insist on HTTPS until {switch['remembered_until'][:10]}" if switch["hsts"] else ""
    seen = "" if switch["proven_at"] else " (being made so)"
    return plain(f"  {redirect}{hsts}{memory}{seen}")


def _zone_value(record: Mapping[str, Any]) -> str:
    return f'"{record["value"]}"' if record["type"] == "TXT" else f"{record['value']}."
