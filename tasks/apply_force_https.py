"""Make both edges force a hostname to HTTPS as the records have it, and see it from outside."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from tasks.artifacts import note
from tasks.clients.installation import Installation, current
from tasks.clients.settings import Edge as EdgeSettings
from tasks.core.errors import EdgeUnavailable, ProofFailed
from tasks.core.force_https import Rule, Switch, Wish, check_forced, move_on, turn
from tasks.core.hand_over import lease_name
from tasks.core.model import Hostname, parse_hostname
from tasks.retries import step


@step(EdgeUnavailable, "force HTTPS on both edges, as recorded")
def apply_force_https(name: str) -> str:
    """
    Let both edges do for the hostname *name* what its switch says, and record that they were seen doing it.

    The next stage of HSTS, or the end of its withdrawal, is recorded first where it is due. Gives the rule in words.

    Repeat: Edges that do it are looked at again; the time since when stays.

    Undo: `release_force_https`.

    Raises:
        ProofFailed: Code ``not-forced``: a visitor sees something else. The stage begins anew once all is well.

        EdgeUnavailable: An edge did not answer.
    """
    here, hostname = current(), parse_hostname(name)
    now = here.now()
    before = here.switches.find(hostname)
    if before is None:
        _clear(here, hostname)
        return "off"
    switch = here.switches.change(hostname, lambda found: move_on(found, now))
    if switch != before:
        here.audit.append("certferry", "force-https.stage", hostname, {"rule": str(switch.rule)}, now)
    try:
        for edge, settings in zip(here.edges, here.settings.edges, strict=True):
            edge.set_force_https(hostname, switch.rule)
            _prove(here, settings, hostname, switch.rule, now)
    except ProofFailed:
        # a promise that is being withdrawn is not made again by an app that fails
        here.switches.change(hostname, lambda found: replace(found, proven_at=None) if found.stage else found)
        raise
    here.switches.change(hostname, lambda found: _proven(found, switch, now))
    note(f"{hostname}: {switch.rule or 'off'}")
    return str(switch.rule or "off")


@step(EdgeUnavailable, "stop forcing HTTPS at once")
def release_force_https(name: str) -> None:
    """
    Turn the switch of the hostname *name* off; what was promised of HSTS is withdrawn.

    Repeat: A switch that is off stays so.

    Undo: `apply_force_https`, after another wish.

    Raises:
        EdgeUnavailable: An edge did not answer; the round does the rest.
    """
    here, hostname = current(), parse_hostname(name)
    switch = here.switches.change(hostname, lambda found: turn(found, Wish.OFF, "certferry"))
    for edge in here.edges:
        edge.set_force_https(hostname, switch.rule)
    here.audit.append("certferry", "force-https.off", hostname, {"rule": str(switch.rule)}, here.now())


@step(EdgeUnavailable, "compare the edges' rules with the records")
def survey_force_https() -> list[tuple[str, str]]:
    """
    Give (edge, hostname) wherever an edge that answers has another rule than its switch on record.

    A hostname that somebody is at work on is left to him.

    Repeat: Reads only.

    Undo: None is needed.
    """
    here = current()
    wanted = {switch.hostname: switch.rule for switch in here.switches.list() if switch.rule}
    differing = []
    for edge in here.edges:
        try:
            found = edge.list_force_https()
        except EdgeUnavailable as failure:
            note(str(failure))
            continue
        names = sorted({*wanted, *found})
        differing += [(edge.name, name) for name in names if found.get(name, _NONE) != wanted.get(name, _NONE)]
    return [(edge, each) for edge, each in differing if not here.leases.is_held(lease_name(Hostname(each)), here.now())]


@step(EdgeUnavailable, "restore an edge's rule")
def restore_force_https(edge_name: str, name: str) -> None:
    """
    Let one edge do for the hostname *name* what its switch says.

    Repeat: An edge that does it is left alone.

    Undo: None: it is what the records say.

    Raises:
        EdgeUnavailable: It did not answer.
    """
    here, hostname = current(), parse_hostname(name)
    switch = here.switches.find(hostname)
    rule = switch.rule if switch else None
    edge = next(each for each in here.edges if each.name == edge_name)
    edge.set_force_https(hostname, rule)
    evidence = {"edge": edge_name, "rule": str(rule)}
    here.audit.append("certferry", "force-https.restored", hostname, evidence, here.now())


def list_switches() -> list[str]:
    """Give the hostnames that have a switch on record."""
    return [switch.hostname for switch in current().switches.list()]


_NONE = Rule(redirect=False, max_age=None)
"""Stands for no file at all: a file that is no rule differs from it, and is taken off."""


def _clear(here: Installation, hostname: Hostname) -> None:
    for edge in here.edges:
        edge.set_force_https(hostname, None)


def _prove(here: Installation, settings: EdgeSettings, hostname: Hostname, rule: Rule | None, now: datetime) -> None:
    if rule is None:
        return
    port = "" if settings.https_port == 443 else f":{settings.https_port}"
    shown = here.probe.handshake(settings, hostname, here.settings.trust, now)
    plain = here.probe.ask_plainly(settings, hostname)
    check_forced(rule, shown, plain, f"https://{hostname}{port}/")


def _proven(found: Switch, seen: Switch, now: datetime) -> Switch:
    """Give the switch as proven, unless somebody wished for something else while it was looked at."""
    return replace(found, proven_at=found.proven_at or now) if found.rule == seen.rule else found
