"""Every error says what, got, wanted, what to do and who; its class is the retry decision."""

from __future__ import annotations

import inspect
import pickle

import pytest

from tasks.core import errors
from tasks.core.errors import (
    BadBundle,
    BadInput,
    CannotOpen,
    CannotUnseal,
    CertferryError,
    Drifted,
    NotFound,
    NotReady,
    Rejected,
    StoreUnavailable,
    Unavailable,
    Who,
)
from tasks.core.model import Finding, Severity

CLASSES = [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, CertferryError)]
LEAVES = [c for c in CLASSES if not issubclass(c, BadBundle)]

REFUSED = Finding("expired", Severity.REFUSE, "it expired", "Renew it.", who=Who.CUSTOMER)
LATER = Finding("ca-leaf", Severity.REFUSE, "it is an authority's", "Order another.", who=Who.CA)
NOTED = Finding("root-left-out", Severity.NOTE, "the root is left out", "Nothing to do.", who=Who.NOBODY)


def make(cls: type[CertferryError]) -> CertferryError:
    return cls("drop-x", got="one thing", wanted="another", do="Do this.")


@pytest.mark.parametrize("cls", LEAVES)
def test_an_error_survives_the_way_between_processes(cls: type[CertferryError]) -> None:
    """Pickled and read again it is the same error, with all its parts."""
    error = cls("drop-x", got="one thing", wanted="another", do="Do this.", who=Who.CA, code="finer-code")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is cls
    assert (str(error), error.as_dict()) == (str(again), again.as_dict())


def test_a_refused_bundle_keeps_its_findings_between_processes() -> None:
    """All findings arrive, with their order."""
    error = BadBundle.of("shop.example.test", [REFUSED, LATER, NOTED])
    again = pickle.loads(pickle.dumps(error))
    assert again.findings == (REFUSED, LATER, NOTED)
    assert (str(error), error.as_dict()) == (str(again), again.as_dict())


@pytest.mark.parametrize("cls", LEAVES)
def test_a_message_says_all_five_things(cls: type[CertferryError]) -> None:
    """Subject, got, wanted, the next action, and who must take it."""
    error = make(cls)
    assert str(error) == f"drop-x: one thing; wanted another. Do this. [{cls.code}; to act: {cls.who}]"


@pytest.mark.parametrize("cls", LEAVES)
def test_a_program_reads_the_same_five_things(cls: type[CertferryError]) -> None:
    """The dictionary of an error is flat text."""
    assert make(cls).as_dict() == {
        "code": cls.code,
        "subject": "drop-x",
        "got": "one thing",
        "wanted": "another",
        "do": "Do this.",
        "who": str(cls.who),
    }


def test_no_two_classes_share_a_code() -> None:
    """A code names one class; documentation refers to it."""
    codes = [cls.code for cls in CLASSES]
    assert len(set(codes)) == len(codes)
    assert all(code == code.lower() and " " not in code for code in codes)


@pytest.mark.parametrize("cls", [c for c in CLASSES if c is not CertferryError])
def test_every_error_decides_about_retries(cls: type[CertferryError]) -> None:
    """Each class lies below exactly one of the five decisions."""
    assert sum(issubclass(cls, base) for base in (Rejected, NotReady, Unavailable, NotFound, Drifted)) == 1


@pytest.mark.parametrize("cls", CLASSES)
def test_the_tree_in_the_docstring_is_complete(cls: type[CertferryError]) -> None:
    """Whoever reads the module's first page has seen every class."""
    assert errors.__doc__ is not None
    assert cls.__name__ in errors.__doc__


def test_a_bundles_error_is_its_first_refusal() -> None:
    """Code, cause, fix and who come from what refuses, not from a note before it."""
    error = BadBundle.of("shop.example.test", [NOTED, LATER, REFUSED])
    assert (error.code, error.who, error.do) == ("ca-leaf", Who.CA, "Order another.")
    assert error.got == "it is an authority's (and 1 more)"
    assert [f["code"] for f in error.as_dict()["findings"]] == ["root-left-out", "ca-leaf", "expired"]


def test_every_failure_to_open_reads_the_same() -> None:
    """One text, and no code of its own."""
    assert str(CannotOpen.for_drop("drop-x")) == str(CannotOpen.for_drop("drop-x"))
    assert CannotOpen.for_drop("drop-x").code == "cannot-open"
    assert CannotUnseal.certificate("cert-x").subject == "cert-x"


def test_an_outage_names_the_system() -> None:
    """The operator knows where to look."""
    error = StoreUnavailable.because("drop-x", "HTTP 503")
    assert error.got == "the S3 store did not answer (HTTP 503)"


def test_not_there_and_not_yours_read_the_same() -> None:
    """The message for a missing name tells nothing about other accounts."""
    assert str(NotFound.named("drop", "edge")).startswith("drop edge: no such drop; wanted a drop of this account.")


def test_a_finer_code_keeps_the_class() -> None:
    """Programs may tell finer than classes do."""
    error = BadInput("x", got="a", wanted="b", do="C.", code="files-too-large")
    assert (error.code, BadInput.code) == ("files-too-large", "bad-input")
