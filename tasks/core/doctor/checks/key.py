"""The rules about the key: whole, the certificate's own, of an accepted kind, and nobody else's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tasks.core import policy
from tasks.core.doctor.case import Case
from tasks.core.doctor.contents import Key
from tasks.core.doctor.findings import refuse, shell_name
from tasks.core.doctor.leaf import name_of, names_text
from tasks.core.doctor.private_key import read_numbers
from tasks.core.doctor.public_key import ALGORITHMS, EXPLICIT_EC, RSA, RSA_PSS, UNKNOWN, PublicFacts, describe_certified
from tasks.core.doctor.terms import KeyStanding
from tasks.core.doctor.weak_keys import find_private_weakness, find_weakness
from tasks.core.errors import Who
from tasks.core.model import Finding
from tasks.core.text import printable

_LINK_CURVES: Final = (*policy.EC_CURVES, "secp521r1")  # authorities may have it (Mozilla's root policy 5.1)
_CODES: Final = {
    EXPLICIT_EC: "curve-explicit",
    RSA_PSS: "key-rsa-pss",
    "Ed25519": "key-ed25519",
    "Ed448": "key-ed448",
    "DSA": "key-dsa",
}


def check_private_key(case: Case) -> Iterator[Finding]:
    """The numbers of the private key belong together, and nobody can guess them."""
    key = case.contents.key
    if key is None:
        return
    try:
        numbers = read_numbers(key.der, key.facts)
    except ValueError:
        cause = f"the private key in {printable(key.file)} is damaged: its numbers do not belong together"
        fix = "Look for an undamaged copy, until this command says that it is valid."
        yield refuse("key-unreadable", cause, fix, f"openssl pkey -in {shell_name(key.file)} -noout -check")
        return
    if numbers and (weakness := find_private_weakness(numbers)):
        yield refuse("key-weak", f"the private key {weakness}", *case.new_key)


def check_pair(case: Case) -> Iterator[Finding]:
    """The private key is the certificate's (by SPKI)."""
    key = case.contents.key
    if not (key and case.leaf):
        return
    certified = describe_certified(case.leaf)
    if certified.may_be_same_key(key.facts) or _has_its_numbers(certified, key.facts):
        return
    key_file, leaf_file = key.file, case.contents.leaf_file
    cause = (
        f"the private key in {printable(key_file)} is not the one of the certificate in {printable(leaf_file)}"
        f" for {names_text(case.leaf)}"
    )
    fix = "Find the key that the request was made with: the two lines that this prints must be the same."
    yield refuse("key-mismatch", cause, fix, _compare(key, leaf_file))


def _has_its_numbers(one: PublicFacts, other: PublicFacts) -> bool:
    """Tell whether two RSA keys are one that is called RSA in one place and RSASSA-PSS in the other."""
    return bool(one.modulus) and (one.modulus, one.exponent) == (other.modulus, other.exponent)


def _compare(key: Key, leaf_file: str) -> str:
    digest = "openssl pkey -pubin -outform DER | openssl dgst -sha256"
    return (
        f"openssl pkey -in {shell_name(key.file)} -pubout | {digest}; "
        f"openssl x509 -in {shell_name(leaf_file)} -noout -pubkey | {digest}"
    )


def check_public_key(case: Case) -> Iterator[Finding]:
    """The key is of a kind, size and make that browsers accept and that keeps its secret."""
    facts = [case.contents.key.facts] if case.contents.key else []
    certified = describe_certified(case.leaf) if case.leaf else None
    if certified and not any(certified.kind == fact.kind and certified.may_be_same_key(fact) for fact in facts):
        facts.append(certified)
    for fact in facts:
        yield from _judge_rsa(fact, case) if fact.kind == RSA else _judge_kind(fact, case)
    if certified and certified.compressed and certified.kind in case.terms.rules.curves:
        cause = "the certificate has its public key in compressed form, which not every browser takes"
        yield refuse("point-compressed", cause, *case.new_key)


def check_link_keys(case: Case) -> Iterator[Finding]:
    """The keys of the intermediates are ones that browsers take."""
    for link in case.path.links if case.path else ():
        facts = describe_certified(link)
        known = facts.modulus.bit_length() >= min(policy.RSA_BITS) if facts.kind == RSA else facts.kind in _LINK_CURVES
        if facts.compressed or not known:
            form = ", in compressed form" if facts.compressed else ""
            cause = f"the key of the intermediate {name_of(link)} is none that browsers take ({facts.shown}{form})"
            yield refuse(
                "chain-invalid", cause, "Ask your certificate authority for the right intermediates.", who=Who.CA
            )


def _judge_kind(fact: PublicFacts, case: Case) -> Iterator[Finding]:
    if fact.kind in case.terms.rules.curves:
        return
    code = _CODES.get(fact.kind, "key-type" if fact.kind in (*ALGORITHMS.values(), UNKNOWN) else "curve")
    cause = f"the key is of type {fact.kind}; browsers take RSA and EC on P-256 or P-384"
    yield refuse(code, cause, *case.new_key)


def _judge_rsa(fact: PublicFacts, case: Case) -> Iterator[Finding]:
    bits, accepted = fact.modulus.bit_length(), case.terms.rules.rsa_bits
    if bits not in accepted:
        sizes = ", ".join(str(size) for size in accepted)
        yield refuse("rsa-size", f"the RSA key has {bits} bits; {sizes} are accepted", *case.new_key)
    if fact.exponent != policy.RSA_EXPONENT:
        exponent = str(fact.exponent) if fact.exponent.bit_length() <= 64 else "a very large one"
        cause = f"the RSA key's exponent is {exponent}, not {policy.RSA_EXPONENT}"
        yield refuse("rsa-exponent", cause, *case.new_key)
    if bits <= policy.RSA_MAX_PARSE_BITS and (weakness := find_weakness(fact.modulus)):
        yield refuse("key-weak", f"the RSA key {weakness}", *case.new_key)


def check_key_history(case: Case) -> Iterator[Finding]:
    """The key is not known to somebody else: blocked, seen where it must not be, or of another account."""
    facts = case.contents.key.facts if case.contents.key else describe_certified(case.leaf) if case.leaf else None
    if facts is None or facts.spki_sha256 is None:
        return
    digest = facts.spki_sha256
    if digest in case.terms.rules.blocked_keys:
        cause = f"the key (public key SHA-256 {digest}) is on the platform's list of keys that nobody may use"
        yield refuse("key-blocked", cause, *case.new_key)
    match case.terms.standing(digest):
        case KeyStanding.COMPROMISED:
            cause = f"the key (public key SHA-256 {digest}) is on record as compromised"
            yield refuse("key-compromised", cause, *case.new_key)
        case KeyStanding.OF_ANOTHER_ACCOUNT:
            cause = f"the key (public key SHA-256 {digest}) is in use by another account"
            yield refuse("key-of-another-account", cause, *case.new_key)
