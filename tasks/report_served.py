"""Tell the operators what the world gets wrongly: on an artifact always, and in a letter once."""

from __future__ import annotations

import os

from tasks.artifacts import show_served
from tasks.clients.installation import current
from tasks.clients.records.letters import PostedLetter
from tasks.core import policy
from tasks.core.errors import RecordsUnavailable
from tasks.core.expiry import Audience
from tasks.core.model import make_id
from tasks.core.watch import write_about_sightings
from tasks.retries import step


@step(RecordsUnavailable, "report what is served wrongly")
def report_served() -> None:
    """
    Show everything that is wrong, and write a letter about what the operators have not been told of.

    Repeat: What stands in a letter is not written again, until it changes.

    Undo: None is needed.
    """
    here = current()
    now = here.now()
    show_served(here.sightings.list_all(policy.MOST_SERIES), here.sightings.count())
    untold = here.sightings.list_untold(policy.MOST_SERIES)
    if untold:
        listed, rest = untold[: policy.MOST_IN_A_LETTER], untold[policy.MOST_IN_A_LETTER :]
        letter = write_about_sightings(listed, len(rest))
        letter_id = make_id("letter", os.urandom(policy.DROP_ID_BYTES))
        posted = PostedLetter(letter_id, Audience.OPERATORS, None, letter.subject, letter.body, now)
        keys = [(each.hostname, each.place, each.code.value) for each in untold]
        if here.letters.post_sightings(posted, list(here.settings.notices.operators), keys):
            evidence = {"letter": letter_id, "number": len(untold)}
            here.audit.append("certferry", "letter.written", Audience.OPERATORS, evidence, now)
