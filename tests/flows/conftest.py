"""The office, and the flows on it without Prefect."""

from tests.office import _authority, _office
from tests.theatre import _theatre

__all__ = ["_authority", "_office", "_theatre"]
