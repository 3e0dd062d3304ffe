"""Print the page of results."""

from tests.corpus.page import write_page

print(write_page(), end="")  # noqa: T201
