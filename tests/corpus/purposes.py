"""Certificates for something else than serving web pages, and certificates that break the standard."""

from __future__ import annotations

from collections.abc import Callable

from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from tasks.core.doctor.pem import armour
from tests.corpus import craft
from tests.corpus.case import SHOP, Case, Files, Lab, accepted, leaf, public, refused

_TLS_FEATURE = "1.3.6.1.5.5.7.1.24"
_SCTS = "1.3.6.1.4.1.11129.2.4.2"
_POISON = "1.3.6.1.4.1.11129.2.4.3"
_MICROSOFT_TEMPLATE = "1.3.6.1.4.1.311.21.7"
_UNKNOWN = "1.3.6.1.4.1.99999.1"
_STAPLE = craft.of(x509.TLSFeature([x509.TLSFeatureType.status_request]))


def _for(*purposes: x509.ObjectIdentifier, critical: bool = False) -> Callable[[Lab], Files]:
    """The good leaf for other purposes."""
    extension = craft.of(x509.ExtendedKeyUsage(purposes), critical=critical)
    return lambda lab: lab.extended(extension, drop=(craft.EKU,))


def _usage(content: str, issued: str = "good") -> Callable[[Lab], Files]:
    """The good leaf with another key usage: the content of its BIT STRING in hex."""
    extension = craft.extension(craft.KEY_USAGE, craft.tlv(0x03, bytes.fromhex(content)), critical=True)
    return lambda lab: lab.forged(
        getattr(lab, issued),
        extensions=craft.extensions(getattr(lab, issued).leaf, extension, drop=(craft.KEY_USAGE,)),
    )


def _serial(content: bytes) -> Callable[[Lab], Files]:
    return lambda lab: lab.forged(serial=craft.tlv(0x02, content))


def _added(*extensions: bytes) -> Callable[[Lab], Files]:
    return lambda lab: lab.extended(*extensions)


def _replaced(dotted: str, content: bytes) -> Callable[[Lab], Files]:
    return lambda lab: lab.extended(craft.extension(dotted, content), drop=(dotted,))


def _version(number: int | None) -> Callable[[Lab], Files]:
    """The good leaf in another version of X.509; version 1 is written by leaving it out."""
    version = craft.tlv(0xA0, craft.integer(number - 1)) if number else None
    return lambda lab: lab.forged(version=version)


def _behind(rest: bytes) -> Callable[[Lab], Files]:
    """Something behind the certificate within its PEM block."""
    return lambda lab: lab.good.files(crt=armour("CERTIFICATE", craft.der_of(lab.good.leaf) + rest))


def _any_purpose(lab: Lab) -> Files:
    issued = lab.logged()
    anything = craft.of(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]))
    return lab.forged(issued, extensions=craft.extensions(issued.leaf, anything, drop=(craft.EKU,)))


def _path_length(lab: Lab) -> Files:
    constraints = craft.of(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    return lab.extended(constraints, drop=(craft.BASIC_CONSTRAINTS,))


def _names(*names: x509.GeneralName) -> Callable[[Lab], Files]:
    return lambda lab: lab.extended(craft.of(x509.SubjectAlternativeName(names)), drop=(craft.SAN,))


def _authority_key(digest: bytes) -> Callable[[Lab], Files]:
    identifier = craft.of(x509.AuthorityKeyIdentifier(digest, None, None))
    return lambda lab: lab.extended(identifier, drop=("2.5.29.35",))


def _curve_and_null(lab: Lab) -> bytes:
    algorithm = craft.sequence(craft.oid("1.2.840.10045.2.1"), craft.oid("1.2.840.10045.3.1.7"), b"\x05\0")
    return craft.sequence(algorithm, craft.bits(craft.point_of(lab.good.key)))  # type: ignore[arg-type]


_USER = x509.OtherName(x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3"), b"\x0c\x04user")
_ISSUER_IS_AT = craft.of(
    x509.AuthorityInformationAccess(
        [
            x509.AccessDescription(
                AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier("http://ca.test/a.cer")
            )
        ]
    ),
    critical=True,
)
_ONLY_LENGTH = craft.sequence(craft.integer(0))
_ECDSA_AND_NULL = craft.Signing(craft.sequence(craft.oid("1.2.840.10045.4.3.2"), b"\x05\0"), craft.ECDSA_SHA256.sign)


def _off_curve(lab: Lab) -> bytes:
    point = bytearray(craft.point_of(lab.good.key))  # type: ignore[arg-type]
    point[-1] ^= 1
    return craft.ec_public(bytes(point))


CASES: tuple[Case, ...] = (
    accepted("for servers and clients", _for(ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)),
    accepted("for servers, marked critical", _for(ExtendedKeyUsageOID.SERVER_AUTH, critical=True)),
    accepted("no purpose named, from a private authority", leaf(any_purpose=True)),
    accepted("no key usage at all", lambda lab: lab.extended(drop=(craft.KEY_USAGE,))),
    accepted("no basic constraints at all", lambda lab: lab.extended(drop=(craft.BASIC_CONSTRAINTS,))),
    accepted("a serial number of 20 octets", _serial(b"\x7f" + bytes(range(19)))),
    accepted("an extension nobody knows", _added(craft.extension(_UNKNOWN, b"\x05\x00"))),
    accepted(
        "Microsoft's template",
        _added(craft.extension(_MICROSOFT_TEMPLATE, craft.sequence(craft.oid("1.3.6.1.4.1.311.21.8.1")))),
    ),
    accepted("must-staple", _added(_STAPLE), "must-staple"),
    accepted("public, without proof that it was logged", leaf(), "no-sct", change=public),
    refused(
        "public, with proof that does not parse",
        "certificate-malformed",
        leaf(extra=[x509.UnrecognizedExtension(x509.ObjectIdentifier(_SCTS), craft.octets(b"\0\5noise"))]),
        public,
    ),
    accepted("public, with proof that it was logged", lambda lab: lab.logged().files(), change=public),
    accepted("a user's name beside, as Microsoft's authority adds", _names(x509.DNSName(SHOP), _USER)),
    refused("another authority's key identifier", "chain-wrong-issuer", _authority_key(b"x" * 20)),  # to OpenSSL
    accepted("may sign certificates, and is no authority", _usage("0284")),
    refused("for nothing at all", "certificate-malformed", _replaced(craft.EKU, craft.sequence())),
    refused("for clients", "not-server-auth", leaf(server_auth=False)),
    refused("for e-mail", "not-server-auth", _for(ExtendedKeyUsageOID.EMAIL_PROTECTION)),
    refused("for signing code", "not-server-auth", _for(ExtendedKeyUsageOID.CODE_SIGNING)),
    refused("for signing OCSP answers", "not-server-auth", _for(ExtendedKeyUsageOID.OCSP_SIGNING)),
    refused("no purpose named, public", "not-server-auth", lambda lab: lab.logged(any_purpose=True).files(), public),
    refused("for any purpose, public", "not-server-auth", _any_purpose, public),
    refused("a key for agreeing only", "not-server-auth", _usage("0308")),
    refused("an RSA key for enciphering only", "not-server-auth", _usage("0520", "rsa")),
    refused("an authority's certificate", "ca-leaf", leaf(is_ca=True)),
    refused("an authority's certificate with a path length", "ca-leaf", _path_length),
    refused("a negative serial number", "serial-bad", _serial(b"\xfb")),
    refused("serial number 0", "serial-bad", _serial(b"\0")),
    refused("a serial number of 21 octets", "serial-bad", _serial(b"\x7f" + bytes(range(20)))),
    refused("version 1", "no-names", lambda lab: lab.forged(version=None, extensions=None)),
    refused("version 1 with extensions", "certificate-malformed", _version(None)),
    refused("version 2", "certificate-malformed", _version(2)),
    refused("version 4", "certificate-malformed", _version(4)),
    refused(
        "a critical extension nobody knows",
        "unknown-extension",
        _added(craft.extension(_UNKNOWN, b"\x05\x00", critical=True)),
    ),
    refused(
        "Microsoft's template, critical",
        "unknown-extension",
        _added(
            craft.extension(_MICROSOFT_TEMPLATE, craft.sequence(craft.oid("1.3.6.1.4.1.311.21.8.1")), critical=True)
        ),
    ),
    refused("a critical note on where its issuer is", "unknown-extension", _added(_ISSUER_IS_AT)),
    refused(
        "a length of path, and is no authority",
        "certificate-malformed",
        _replaced(craft.BASIC_CONSTRAINTS, _ONLY_LENGTH),
    ),
    refused(
        "an address of X.400 beside the name",
        "certificate-malformed",
        _replaced(craft.SAN, craft.sequence(craft.tlv(0x82, SHOP.encode()), craft.tlv(0xA3, craft.sequence()))),
    ),
    refused(
        "an EC key with a NULL behind its curve",
        "certificate-malformed",
        lambda lab: lab.forged(spki=_curve_and_null(lab)),
    ),
    refused(
        "a signature with a NULL behind its algorithm",
        "certificate-malformed",
        lambda lab: lab.forged(signing=_ECDSA_AND_NULL),  # type: ignore[arg-type]
    ),
    refused("a precertificate", "precertificate", _added(craft.extension(_POISON, b"\x05\x00", critical=True))),
    refused(
        "an extension twice",
        "certificate-malformed",
        _added(craft.of(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]))),
    ),
    refused("names that do not parse", "certificate-malformed", _replaced(craft.SAN, b"\x30\x05\x82")),
    refused("names that are an integer", "certificate-malformed", _replaced(craft.SAN, b"\x02\x01\x05")),
    refused(
        "basic constraints that do not parse",
        "certificate-malformed",
        _replaced(craft.BASIC_CONSTRAINTS, b"\x04\x01\x00"),
    ),
    refused("a key usage without bits", "certificate-malformed", _replaced(craft.KEY_USAGE, b"\x03\x00")),
    refused(
        "a subject in broken UTF-8",
        "certificate-malformed",
        lambda lab: lab.forged(subject=craft.common_name(b"Caf\xe9 \xff")),
    ),
    refused(
        "a subject in half a BMPString",
        "certificate-malformed",
        lambda lab: lab.forged(subject=craft.common_name(b"\0S\0h\0", 0x1E)),
    ),
    refused(
        "an issuer that does not parse",
        "certificate-malformed",
        lambda lab: lab.forged(issuer=craft.sequence(craft.integer(5))),
    ),
    refused(
        "a public key that does not parse",
        "certificate-malformed",
        lambda lab: lab.forged(spki=craft.sequence(craft.integer(1))),
    ),
    refused("a public point off its curve", "certificate-malformed", lambda lab: lab.forged(spki=_off_curve(lab))),
    refused("no public key at all", "certificate-malformed", lambda lab: lab.forged(spki=None)),
    refused("bytes behind it within its block", "certificate-malformed", _behind(b"\x00" * 16)),
    refused(
        "a second certificate behind it within its block",
        "certificate-malformed",
        lambda lab: lab.good.files(
            crt=armour("CERTIFICATE", craft.der_of(lab.good.leaf) + craft.der_of(lab.middle.certificate))
        ),
    ),
    refused(
        "cut off within intact lines",
        "certificate-unreadable",
        lambda lab: lab.good.files(crt=armour("CERTIFICATE", craft.der_of(lab.good.leaf)[:-20])),
    ),
)
