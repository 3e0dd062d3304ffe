"""The office that steps are tested on; they are called without Prefect, through `.fn`."""

from tests.office import _authority, _office

__all__ = ["_authority", "_office"]
