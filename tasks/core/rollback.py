"""Which certificate a rollback puts back, and whether that can be done."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.core.errors import NotReady, Rejected
from tasks.core.model import Certificate


def choose_certificate(confirmed: Sequence[Certificate], serving: Certificate, forward: bool) -> Certificate:
    """
    Give the certificate that the edges are to serve.

    Doing what is done already gives *serving*: a rollback that is asked for twice goes no further back.

    Args:
        confirmed: All of the hostname that both edges were ever seen serving, the last one last.

        serving: The one that the edges are meant to serve now.

        forward: Back to the newest one, after a rollback; else back to what was served before the newest.

    Raises:
        NotReady: Code ``hand-over-under-way``: *serving* is not confirmed yet.

        Rejected: Code ``no-previous``: there is none to go back to; ``not-kept``: it is destroyed already.
    """
    if serving not in confirmed:
        raise _under_way(serving)
    newest = confirmed[-1]
    if forward or serving != newest:
        return newest if forward else serving
    others = [each for each in confirmed if each != serving and each.superseded_at]
    if not others:
        raise _refused(serving, "no certificate was served before this one", "no-previous")
    previous = max(others, key=lambda each: (str(each.superseded_at), confirmed.index(each)))
    if previous.retired_at:
        gone = f"the previous certificate (leaf {previous.leaf_sha256}) was destroyed on {previous.retired_at:%Y-%m-%d}"
        raise _refused(serving, gone, "not-kept")
    return previous


def _under_way(serving: Certificate) -> NotReady:
    return NotReady(
        serving.hostname,
        got=f"a hand-over is putting its certificate on the edges ({serving.drop_id})",
        wanted="a certificate that both edges were seen serving",
        do="Wait for its end, or cancel its run: that puts both edges back.",
        code="hand-over-under-way",
    )


def _refused(serving: Certificate, got: str, code: str) -> Rejected:
    return Rejected(
        serving.hostname,
        got=got,
        wanted="a previous certificate whose sealed copy is still kept",
        do="Hand over a certificate that works: `certferry create` opens a drop for it.",
        code=code,
    )
