"""How the watchers go round: what is wrong with one drop or ticket must not keep the others waiting."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ParamSpec

from prefect.client.schemas.objects import State
from prefect.states import Failed

from tasks.artifacts import note
from tasks.core.errors import CertferryError

P = ParamSpec("P")


def attempt(action: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> list[CertferryError]:
    """Do one thing of a round, and give what went wrong: one error, or none."""
    try:
        action(*args, **kwargs)
    except CertferryError as trouble:
        note(f"left for the next round: {trouble}")
        return [trouble]
    return []


def report(troubles: Sequence[CertferryError]) -> State[Any] | None:
    """Give the state a round ends in: None, which is success, or Failed with all that went wrong."""
    if not troubles:
        return None
    return Failed(name="Incomplete", message="; ".join(str(trouble) for trouble in troubles))
