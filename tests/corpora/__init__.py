"""Other people's keys and certificates, as the judge answers them; `python -m tests.corpora` writes docs/corpora.md."""
