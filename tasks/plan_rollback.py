"""Before a rollback: which certificate comes back, and whether it still may."""

from __future__ import annotations

from tasks.clients.bundles import check_still_good
from tasks.clients.installation import current
from tasks.core.errors import NotFound, RecordsUnavailable
from tasks.core.model import parse_hostname
from tasks.core.rollback import choose_certificate
from tasks.retries import step


@step(RecordsUnavailable, "choose the certificate that comes back")
def plan_rollback(hostname: str, direction: str) -> str:
    """
    Give the id of the certificate that both edges are to serve.

    Repeat: Once it is meant to be served it is given again, so a rollback never goes back twice.

    Undo: None is needed: nothing is changed.

    Args:
        direction: ``back`` to what was served before the newest certificate, or ``forward`` to the newest again.

    Raises:
        NotFound: The hostname has no certificate, or it is being disabled.

        NotReady: Code ``hand-over-under-way``.

        Rejected: Code ``no-previous``, ``not-kept``, ``expired`` or ``key-compromised``.
    """
    here = current()
    name = parse_hostname(hostname)
    assignments = [each for edge in here.settings.edges if (each := here.certificates.find_assignment(edge.name, name))]
    if not assignments or any(each.leaving for each in assignments):
        raise NotFound.named("certificate of", name)
    serving = here.certificates.fetch(assignments[0].certificate_id)
    chosen = choose_certificate(here.certificates.list_confirmed(name), serving, direction == "forward")
    check_still_good(here, chosen, here.now())
    return chosen.id
