"""What an account pays for a month, for its customer and for operators. No step: it changes nothing."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tasks.clients.installation import current
from tasks.core.price import draft_statement, parse_month


def describe_statement(account: str, month: str | None, now: datetime) -> dict[str, Any]:
    """
    Give the statement of *account*.

    Args:
        month: As in ``2026-11``; None is the one that *now* is in, in the time zone of the price book.

    Raises:
        BadInput: *month* is none.

        NotFound: There is no such account.

        Drifted: The price book and the ledger do not go together, as `draft_statement` says.
    """
    here = current()
    here.accounts.fetch_account(account)
    book = here.settings.billing.book
    wanted = parse_month(month) if month else book.month_of(now)
    return draft_statement(account, wanted, here.billing.list_entries(account), book, now).as_dict()
