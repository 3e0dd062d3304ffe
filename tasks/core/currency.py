"""
The currencies one can be billed in, and their smallest units.

Source:
    ISO 4217:2015, list one (currencies in use), without metals, funds and test codes; as of 2026.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Final

_IN_USE: Final = """
AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP CNY COP CRC
CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR
ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK
MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE
SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VED VES VND VUV WST XAF XCD XCG XOF
XPF YER ZAR ZMW ZWG
"""
_WITHOUT_SMALLER_UNIT: Final = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
_IN_THOUSANDTHS: Final = "BHD IQD JOD KWD LYD OMR TND"

_DIGITS: Final[Mapping[str, int]] = (
    dict.fromkeys(_IN_USE.split(), 2)
    | dict.fromkeys(_WITHOUT_SMALLER_UNIT.split(), 0)
    | dict.fromkeys(_IN_THOUSANDTHS.split(), 3)
)


def check_currency(code: str) -> None:
    """
    Raise unless *code* is a currency's.

    Raises:
        ValueError: It is not.
    """
    if code not in _DIGITS:
        raise ValueError(f"{code} is no currency's code (ISO 4217)")


def round_money(amount: Fraction, currency: str) -> Decimal:
    """
    Give *amount*, which is not negative, in whole smallest units of *currency*: half a unit counts as one.

    Half up is what trade does and what a customer gets with pencil and paper.
    """
    digits = _DIGITS[currency]
    units = int(amount * 10**digits + Fraction(1, 2))
    return Decimal(units).scaleb(-digits)
