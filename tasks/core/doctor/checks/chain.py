"""The rules about the chain: it leads to a trusted root, every link of it is sound, and it is served in order."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID

from tasks.core.doctor.case import Case
from tasks.core.doctor.chain import Path, is_self_issued
from tasks.core.doctor.commands import free_stem, unless_there
from tasks.core.doctor.findings import note, refuse, shell_name, warn
from tasks.core.doctor.leaf import find_extension, is_signed_over_sha2, issuer_of, name_of, signature_hash
from tasks.core.errors import Who
from tasks.core.files import FILES
from tasks.core.model import Finding

_CLEAN_URL: Final = re.compile(
    r"http://(?:[a-z0-9-]{1,63}\.){1,10}(?!local|internal|lan|home|corp|intranet)[a-z]{2,63}(?:/[A-Za-z0-9._~/-]{0,200})?"
)
"""An address that can stand in a command: a public host by its name, nothing that a shell or a terminal notices."""


def check_signatures(case: Case) -> Iterator[Finding]:
    """Every signature up to the root is over SHA-2."""
    for certificate in (case.path.leaf, *case.path.links) if case.path else ():
        if not is_signed_over_sha2(certificate):
            algorithm = signature_hash(certificate)
            name = algorithm.name.upper() if algorithm else "an algorithm that browsers do not know"
            cause = f"the certificate {name_of(certificate)} is signed over {name}, not SHA-256, SHA-384 or SHA-512"
            yield refuse("signature-algorithm", cause, *case.reissue, Who.CA)


def check_signer(case: Case) -> Iterator[Finding]:
    """The leaf is signed by an authority: what else is wrong with one that is not says less."""
    if case.path and case.path.is_self_signed:
        fix = "Have the certificate issued by an authority that browsers trust. " + case.new_key[0]
        yield refuse("chain-untrusted", "the certificate is signed by its own key", fix, case.new_key[1])


def check_chain(case: Case) -> Iterator[Finding]:
    """The certificates lead from the leaf to a trusted root."""
    if not case.path:
        return
    for below, link in pairwise((case.path.leaf, *case.path.links)):
        if not _is_valid(link, case):
            cause = f"the intermediate {name_of(link)} is valid only {_period(link)}"
            yield refuse("chain-expired", cause, *_download(case, below, "the current certificate"))
    if case.path.root is None and not case.path.is_self_signed:
        yield _explain_end(case, case.path)
    if case.path.root and not _is_valid(case.path.root, case):
        cause = f"the root {name_of(case.path.root)} is valid only {_period(case.path.root)}"
        fix = "Ask your certificate authority for intermediates that lead to a root of today."
        yield refuse("chain-expired", cause, fix, who=Who.CA)


def _is_valid(certificate: x509.Certificate, case: Case) -> bool:
    return certificate.not_valid_before_utc <= case.terms.now <= certificate.not_valid_after_utc


def _period(certificate: x509.Certificate) -> str:
    return f"from {certificate.not_valid_before_utc:%Y-%m-%d} to {certificate.not_valid_after_utc:%Y-%m-%d}"


def _explain_end(case: Case, path: Path) -> Finding:
    """Say why the path ends before a root."""
    top = path.top
    issuer = issuer_of(top)
    if is_self_issued(top):
        what = f"{name_of(top)} is no root we know"
        fix = "Have the certificate issued by an authority that browsers trust. " + case.new_key[0]
        return refuse("chain-untrusted", what, fix, case.new_key[1])
    if any(root.subject == top.issuer for root in case.terms.roots):
        what = f"{name_of(top)} is not signed by the key of the root that we know as {issuer}"
        fix = "Have the certificate issued by an authority that browsers trust. " + case.new_key[0]
        return refuse("chain-untrusted", what, fix, case.new_key[1])
    fix, command = _download(case, top, "the certificate")
    if any(other.subject == top.issuer for other in case.contents.certificates if other not in path.links):
        cause = f"the certificate that was sent for {issuer} is not the one that signed {name_of(top)}: its key differs"
        return refuse("chain-wrong-issuer", cause, fix, command)
    cause = (
        f"the chain stops at {name_of(top)}: the certificate of its issuer, {issuer}, is missing and no root we know"
    )
    return refuse("chain-incomplete", cause, fix, command)


def _download(case: Case, certificate: x509.Certificate, what: str) -> tuple[str, str]:
    """Say how to get *what* its issuer has: a sentence, and a command if it tells where that lies, safe to show."""
    name = f"{free_stem('intermediate', ['cer'], case.contents.names)}.cer"
    issuer = issuer_of(certificate)
    fix = f"Download {what} of {issuer} from your certificate authority, and save it as {name} beside these files."
    for description in find_extension(certificate, x509.AuthorityInformationAccess) or ():
        location = description.access_location
        if (
            description.access_method == AuthorityInformationAccessOID.CA_ISSUERS
            and isinstance(location, x509.UniformResourceIdentifier)
            and _CLEAN_URL.fullmatch(location.value)
        ):
            return fix, unless_there(f"curl -fsS -o {name} {shell_name(location.value)}", name)
    return fix, ""


def check_policies(case: Case) -> Iterator[Finding]:
    """Where an authority requires a policy, every certificate below it names one (RFC 5280 section 4.2.1.11)."""
    below = [case.path.leaf] if case.path else []
    for link in case.path.links if case.path else ():
        constraints = find_extension(link, x509.PolicyConstraints)
        required = constraints and constraints.require_explicit_policy is not None
        if required and not all(find_extension(each, x509.CertificatePolicies) for each in below):
            cause = f"{name_of(link)} requires a certificate policy of what it issues, and there is none"
            yield refuse("chain-invalid", cause, *case.reissue, Who.CA)
        below.append(link)


def check_chain_lifetimes(case: Case) -> Iterator[Finding]:
    """No intermediate ends before the leaf: on that day the site would fail with a valid certificate."""
    if not (case.path and case.path.root):
        return
    for link in case.path.links:
        if case.terms.now <= link.not_valid_after_utc < case.path.leaf.not_valid_after_utc:
            cause = f"the intermediate {name_of(link)} expires on {link.not_valid_after_utc:%Y-%m-%d}, before the leaf"
            fix = "Renew before that day, with the intermediate that your certificate authority gives then."
            yield warn("chain-expires-first", cause, fix)


def check_order(case: Case) -> Iterator[Finding]:
    """Say what is put right: the order, a root that is not sent, certificates that lead nowhere."""
    if not (case.path and case.path.root):
        return
    served = (case.path.leaf, *case.path.links)
    if not all(_is_in_order(served, sent) for sent in _sent_together(case)):
        yield note("chain-out-of-order", "the certificates were not in the order leaf to root; they are served in it")
    for certificate in case.contents.certificates:
        if certificate in served:
            continue
        if certificate in case.terms.roots:
            yield note("root-left-out", f"the root {name_of(certificate)} is not served: every browser has it")
        else:
            yield note("certificate-left-out", f"{name_of(certificate)} is not part of the chain and is not served")


def _sent_together(case: Case) -> list[list[x509.Certificate]]:
    """Give the certificates file by file; the files of a hand-over count as one, in their order."""
    together: dict[str, list[x509.Certificate]] = {}
    for certificate, file in case.contents.certificates.items():
        together.setdefault("" if file in FILES else file, []).append(certificate)
    return list(together.values())


def _is_in_order(served: tuple[x509.Certificate, ...], sent: list[x509.Certificate]) -> bool:
    places = [served.index(certificate) for certificate in sent if certificate in served]
    return places == sorted(places)
