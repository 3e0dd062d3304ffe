"""
The settings of one installation: a YAML file in `deployments/`, the environment on top.

The file is named by ``CERTFERRY_SETTINGS``; a variable such as ``CERTFERRY_DATABASE__URL`` overrides
one key. Unknown keys are refused, so a misspelt setting is an error and not a silent default.
Relative paths are relative to the file. No setting but the URLs of `notices` holds a secret (give those in the
environment): S3 and KMS credentials come from the usual AWS chain, database passwords from the URL in the environment
or a `.pgpass`.
"""

from __future__ import annotations

import os
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from ipaddress import IPv4Network, IPv6Network
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import certifi
import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from tasks.core import policy
from tasks.core.currency import check_currency
from tasks.core.errors import BadInput, Who
from tasks.core.expiry import Ladder, RungRule
from tasks.core.expiry import Rung as ExpiryRung
from tasks.core.model import Hostname, Placement, Price, parse_hostname
from tasks.core.price import PriceBook
from tasks.core.renewal import POLICY


def _hostname(text: str) -> Hostname:
    """Parse as pydantic wants it: it lists ValueErrors together with the other faults."""
    try:
        return parse_hostname(text)
    except BadInput as error:
        raise ValueError(f"{error.got}: {text}") from None


AHostname = Annotated[Hostname, AfterValidator(_hostname)]


def _with_unit(value: Any) -> Any:
    if isinstance(value, int | float):
        raise ValueError("a bare number: say its unit, as in P14D (days) or PT15M (minutes)")
    return value


Duration = Annotated[timedelta, BeforeValidator(_with_unit), Field(gt=timedelta(0))]
"""A positive ISO 8601 duration; a number without a unit is refused, since it would be taken for seconds."""


DESK_CHANNEL: Final = "ticket"
"""The channel of the ticket desk, which every letter to a customer goes by."""


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Database(Section):
    """Where the records live."""

    url: str = Field("sqlite:///certferry.db", description="SQLAlchemy URL: sqlite:///PATH or postgresql+psycopg://...")


class Platform(Section):
    """What a customer's domain must lead to."""

    name: str = Field("the platform", description="Shown to customers.")
    cname_targets: list[AHostname] = Field(description="Names a customer's CNAME may end at.")
    addresses: list[str] = Field(description="The edges' public addresses: an apex A/AAAA must be among them.")
    piggyback_domain: AHostname = Field(description="Every app answers at APP.<this> with the platform's wildcard.")


class LiveCheck(Section):
    """How step 1 looks at the domain."""

    resolvers: list[str] = Field(description="DNS servers as ADDRESS or ADDRESS:PORT.")
    allow_networks: list[IPv4Network | IPv6Network] = Field(
        default=[], description="Non-global networks that may be connected to all the same: the local stack's."
    )
    http_port: int = Field(80, ge=1, le=65535)
    https_port: int = Field(443, ge=1, le=65535, description="Where `watch-served` shakes hands with public addresses.")
    timeout: Duration = Field(timedelta(seconds=5), description="Of one look-up or request.")
    deadline: Duration = policy.DOMAIN_DEADLINE
    interval: Duration = policy.DOMAIN_INTERVAL


class Store(Section):
    """The S3 store of drops and vault."""

    endpoint_url: str | None = Field(None, description="None is AWS.")
    region: str = "us-east-1"
    drops_bucket: str = "certferry-drops"
    vault_bucket: str = "certferry-vault"
    sse: Literal["AES256", "aws:kms"] = "AES256"


class Keys(Section):
    """The key provider that wraps drop seeds and vault data keys."""

    provider: Literal["file", "kms"] = "file"
    file: Path = Field(Path("wrapping.key"), description="32 bytes, mode 0600; only for provider: file.")
    kms_key_id: str | None = Field(None, description="Key id, ARN or alias; only for provider: kms.")
    kms_region: str = "us-east-1"
    kms_endpoint_url: str | None = Field(None, description="None is AWS.")


class Drops(Section):
    """How long a drop and its upload capability live."""

    lifetime: Duration = policy.DROP_LIFETIME
    upload_lifetime: Duration = policy.UPLOAD_LIFETIME
    max_open: int = Field(policy.MAX_OPEN_DROPS, ge=1)


class Trust(Section):
    """Which roots a customer's chain must reach."""

    store: Literal["public", "private"] = Field("public", description="public is certifi; private is `file`.")
    file: Path | None = Field(None, description="PEM of a private trust store's roots.")
    minimum_validity: Duration = Field(policy.MIN_VALIDITY_LEFT, description="A leaf must last at least this long.")

    @property
    def roots_file(self) -> Path | None:
        """The PEM file of the roots. `Settings` refuses a private store without one: no other store ever steps in."""
        return Path(certifi.where()) if self.store == "public" else self.file


Warned = Literal[
    "address-as-name",
    "chain-expires-first",
    "must-staple",
    "name-malformed",
    "no-sct",
    "renewal-names-dropped",
    "renewal-older",
    "renewal-same-certificate",
    "renewal-same-key",
]
"""The findings that warn, unless an installation wants them to refuse."""


class Rules(Section):
    """How much stricter than certferry's own rules this installation is; it can't be laxer."""

    rsa_minimum_bits: int = Field(min(policy.RSA_BITS), ge=min(policy.RSA_BITS), le=max(policy.RSA_BITS))
    curves: list[Literal["secp256r1", "secp384r1"]] = Field(list(policy.EC_CURVES), description="[] takes RSA only.")
    maximum_lifetime: Duration | None = Field(None, description="Of a leaf, public or private.")
    maximum_names: int = Field(policy.MAX_SANS, ge=1, le=policy.MAX_SANS)
    refused_warnings: list[Warned] = Field([], description="Warnings that refuse here; docs/findings has each.")
    blocked_keys: Path | None = Field(None, description="A file of public keys nobody may use: SHA-256 of the SPKI.")


class Edge(Section):
    """One edge of the pair: an nginx whose state directory this machine can write."""

    name: str
    directory: Path
    address: str = Field(description="Where a handshake reaches it from outside.")
    https_port: int = 443
    http_port: int = 80


class PriceFrom(Section):
    """A price and the day from which it holds."""

    starts: date = Field(alias="from", description="A civil day of billing.time_zone.")
    unit_price: Decimal = Field(description="Per MB and month.", ge=0)


def _ascending(prices: list[PriceFrom]) -> list[PriceFrom]:
    if any(later.starts <= earlier.starts for earlier, later in pairwise(prices)):
        raise ValueError("the days of the prices must go up, each once")
    return prices


PriceList = Annotated[list[PriceFrom], AfterValidator(_ascending)]


class Prices(Section):
    """What a MB costs, by where the pair is."""

    shared: PriceList = Field(min_length=1)
    dedicated: PriceList = Field([], description="[] offers none.")


def _currency(code: str) -> str:
    check_currency(code)
    return code


def _time_zone(text: str) -> str:
    try:
        return ZoneInfo(text).key
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: the name is a directory's
        raise ValueError("no such time zone") from None


TimeZone = Annotated[str, AfterValidator(_time_zone)]


class Billing(Section):
    """The price book. tasks/core/price.py has the rules it is read by."""

    megabytes: int = Field(policy.EDGE_MEMORY_MB, ge=1)
    currency: Annotated[str, AfterValidator(_currency)] = Field("EUR", description="ISO 4217; there is one.")
    time_zone: TimeZone = Field("UTC", description="IANA name: whose days count.")
    prices: Prices

    @property
    def book(self) -> PriceBook:
        prices = {
            placement: tuple(Price(each.starts, each.unit_price) for each in getattr(self.prices, placement))
            for placement in Placement
        }
        return PriceBook(self.currency, ZoneInfo(self.time_zone), prices)


def _fraction(value: Any) -> Any:
    try:
        return float(Fraction(value)) if isinstance(value, str) else value
    except (ValueError, ZeroDivisionError):
        raise ValueError("not a fraction such as 1/3") from None


class Rung(Section):
    """When a rung of the ladder begins: a fraction of the lifetime is left, within a floor and a ceiling."""

    fraction: Annotated[float, BeforeValidator(_fraction)] = Field(gt=0, lt=1, description="Such as 1/3.")
    least: Duration
    most: Duration


def _policy_rung(name: str) -> Rung:
    fraction, least, most = policy.EXPIRY_LADDER[name]
    return Rung(fraction=fraction, least=least, most=most)


class Expiry(Section):
    """When whom to write to about a certificate that ends. Each rung begins before the next one."""

    open_renewal: Rung = _policy_rung("open-renewal")
    remind: Rung = _policy_rung("remind")
    urgent: Rung = _policy_rung("urgent")
    last_days: Rung = _policy_rung("last-days")
    metrics_file: Path | None = Field(None, description="For node_exporter's textfile collector: NAME.prom.")
    metrics_name_hostnames: bool = Field(False, description="Else a certificate has its id only: names are customers'.")

    @property
    def ladder(self) -> Ladder:
        rungs = {ExpiryRung.OPEN_RENEWAL: self.open_renewal, ExpiryRung.REMIND: self.remind}
        rungs |= {ExpiryRung.URGENT: self.urgent, ExpiryRung.LAST_DAYS: self.last_days}
        return Ladder({name: RungRule(rung.fraction, rung.least, rung.most) for name, rung in rungs.items()})

    @model_validator(mode="after")
    def _check_ladder(self) -> Self:
        _ = self.ladder  # raises what is wrong with it
        return self


ChannelName = Annotated[str, Field(pattern="^[a-z][a-z0-9-]{0,30}$")]


class Notices(Section):
    """How letters go out beside the ticket desk: by name, the URL of a service that apprise knows."""

    time_zone: TimeZone = Field("UTC", description="IANA name; the dates in letters are in it.")
    holidays: list[date] = Field([], description="Days on which nobody works, beside Saturdays and Sundays.")
    customers: dict[ChannelName, SecretStr] = Field({}, description="{contact} in a URL becomes the account's address.")
    operators: dict[ChannelName, SecretStr] = {}

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        if DESK_CHANNEL in self.customers:
            raise ValueError(f"customers: {DESK_CHANNEL} is the ticket desk's own name")
        return self


class Disabling(Section):
    """What happens after HTTPS was disabled for a hostname."""

    vault_grace: Duration = Field(policy.VAULT_GRACE, description="How long the sealed copies are kept.")


class Renewals(Section):
    """What happens when a certificate takes the place of another."""

    waive_approval: bool = Field(False, description="Nobody is asked about a renewal that changes nothing but dates.")
    kept: Duration = Field(policy.SUPERSEDED_KEPT, description="How long the one before can be put back.")


class FrontDesk(Section):
    """The customers' door."""

    url: str = "http://127.0.0.1:8700"
    requests_per_minute: int = Field(60, ge=1, description="Per token.")


class Operators(Section):
    """Who may approve. Prefect knows no identities, so the form's name must be one of these."""

    approvers: list[str] = Field(min_length=1)

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        if any(name.strip().casefold() == POLICY for name in self.approvers):
            raise ValueError(f"{POLICY} is what stands on record where no person was asked")
        return self


class Settings(BaseSettings):
    """All settings of one installation, parsed and checked."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True, env_prefix="CERTFERRY_", env_nested_delimiter="__")

    database: Database = Database()
    platform: Platform
    live_check: LiveCheck
    store: Store = Store()
    keys: Keys = Keys()
    drops: Drops = Drops()
    trust: Trust = Trust()
    rules: Rules = Rules()
    edges: list[Edge] = Field(min_length=2, max_length=2, description="The pair.")
    billing: Billing
    disabling: Disabling = Disabling()
    renewals: Renewals = Renewals()
    front_desk: FrontDesk = FrontDesk()
    operators: Operators
    expiry: Expiry = Expiry()
    notices: Notices = Notices()

    @model_validator(mode="after")
    def _check_trust(self) -> Self:
        if self.trust.roots_file is None:
            raise ValueError("trust.file: a private trust store needs the PEM file of its roots")
        if self.trust.store == "public" and self.trust.file:
            raise ValueError("trust.file: only a private trust store has one; say store: private, or leave it out")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return env_settings, init_settings


def load_settings(path: Path) -> Settings:
    """
    Read the installation's YAML file, with the environment on top.

    Raises:
        BadInput: The file is missing or is not YAML, a key is unknown, a value is out of range; all faults at once.
    """
    try:
        settings = Settings(**_read_yaml(path))
    except ValidationError as faults:
        listed = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in faults.errors(include_input=False))
        raise BadInput(
            str(path), got=listed, wanted="known keys with valid values", do="Mend the file.", who=Who.OPERATOR
        ) from None
    return _absolute(settings, path.parent.resolve())


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_bytes())
    except FileNotFoundError:
        raise BadInput(
            str(path),
            got="no such file",
            wanted="the settings of an installation",
            do="Set CERTFERRY_SETTINGS to a file like deployments/example.yaml.",
            who=Who.OPERATOR,
        ) from None
    except yaml.YAMLError as error:
        raise BadInput(
            str(path), got=f"not YAML: {error}", wanted="a YAML mapping", do="Mend the file.", who=Who.OPERATOR
        ) from None
    return values if isinstance(values, dict) else {}


def settings_path() -> Path:
    """Give the path in ``CERTFERRY_SETTINGS``, or ``deployments/local.yaml`` below the working directory."""
    return Path(os.environ.get("CERTFERRY_SETTINGS", "deployments/local.yaml"))


def _absolute(settings: Settings, base: Path) -> Settings:
    """Resolve every relative path against *base*."""
    url = settings.database.url
    if url.startswith("sqlite:///") and not url.startswith("sqlite:////"):
        url = f"sqlite:///{base / url.removeprefix('sqlite:///')}"
    trust_file, blocked, metrics = settings.trust.file, settings.rules.blocked_keys, settings.expiry.metrics_file
    return settings.model_copy(
        update={
            "database": settings.database.model_copy(update={"url": url}),
            "keys": settings.keys.model_copy(update={"file": base / settings.keys.file}),
            "trust": settings.trust.model_copy(update={"file": base / trust_file if trust_file else None}),
            "rules": settings.rules.model_copy(update={"blocked_keys": base / blocked if blocked else None}),
            "expiry": settings.expiry.model_copy(update={"metrics_file": base / metrics if metrics else None}),
            "edges": [e.model_copy(update={"directory": base / e.directory}) for e in settings.edges],
        }
    )
