"""
Every number certferry chose, with its unit and its source.

Settings may tighten these per installation; what they may loosen is named here.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

MIB: Final = 1024 * 1024
KIB: Final = 1024

# --- What may be uploaded -------------------------------------------------------------------
ENVELOPE_MAX_BYTES: Final = 256 * KIB  # ten RSA-4096 certificates and a key are under 32 KiB
FILE_MAX_BYTES: Final = 64 * KIB
MANIFEST_MAX_BYTES: Final = 4 * KIB  # a dotcloud.yml of ours has one line
MAX_CERTIFICATES: Final = 10  # the longest public chain in use has 4
ARCHIVE_MAX_BYTES: Final = MIB  # of a zip or tar as it comes from an authority: the files of a hand-over, and a manual
ARCHIVE_MAX_MEMBERS: Final = (
    100  # files and directories; some authorities add a form of the chain for each kind of server
)
ARCHIVE_MEMBER_MAX_BYTES: Final = FILE_MAX_BYTES  # what is larger (a manual) is left out
ARCHIVE_TOTAL_MAX_BYTES: Final = 4 * MIB  # of what is read of a zip, and of a whole tar
MAX_FILES: Final = 100  # what a directory may hold beside the four
MAX_ARCHIVES: Final = 3  # one is usual
READ_MAX_BYTES: Final = 2 * MIB  # of all files together
MAX_BLOCKS: Final = 1000  # of PEM in all files together: a whole trust store has 150
MAX_KEYS: Final = 10
DROP_SECRET_BYTES: Final = 32
DROP_ID_BYTES: Final = 16  # 128 bits: not to be guessed (THREATS I4)

# --- How long things last -------------------------------------------------------------------
UPLOAD_LIFETIME: Final = timedelta(minutes=15)  # one upload capability
DROP_LIFETIME: Final = timedelta(days=14)  # a customer's holiday
MAX_OPEN_DROPS: Final = 20  # per account (THREATS D2)
DOMAIN_DEADLINE: Final = timedelta(hours=1)  # a TXT record's usual TTL
DOMAIN_INTERVAL: Final = timedelta(seconds=30)
DOMAIN_INTERVAL_MAX: Final = timedelta(minutes=5)  # the back-off's end: a resolver's usual negative TTL (RFC 2308)
DOMAIN_FRESH: Final = timedelta(hours=24)  # an approval may take days, and domains lapse meanwhile (THREATS E1)
TICKET_MAX_CHARS: Final = 20_000  # a long letter; an RSA-4096 bundle pasted by mistake still fits and is found
LEASE_LIFETIME: Final = timedelta(seconds=20)  # of a lease that is not renewed: how long a killed run holds up others
LEASE_RENEWAL: Final = timedelta(seconds=5)  # three tries before it runs out
LEASE_PATIENCE: Final = timedelta(seconds=30)  # longer than a lifetime: a dead holder is outwaited
RENEWAL_NAME_CHARS: Final = 50  # of the 63 of a name: room for what tells two apart, and a person types it
SUPERSEDED_KEPT: Final = timedelta(days=7)  # a new certificate's faults show in a week; each day more, a key lies about
NO_PATIENCE: Final = timedelta(0)  # of a watcher: what is at work now needs no care, and comes round again
RUN_START_TIME: Final = timedelta(seconds=30)  # from a worker's first word to the run's lease: 5 s, if busy 15
MOST_RESTARTS: Final = 20  # of one run by watch_drops; a run that fails this often needs a person

# --- Disabling ------------------------------------------------------------------------------
VAULT_GRACE: Final = timedelta(
    days=30
)  # of the vault's copies after HTTPS was disabled: a month's bill can be disputed
DANGLING_INTERVAL: Final = timedelta(days=1)  # between two looks at a disabled hostname's DNS: the usual longest TTL

# --- Force HTTPS ----------------------------------------------------------------------------
HSTS_STAGES: Final = (  # hstspreload.org: minutes first, then longer, each waited for in full; at last a year
    timedelta(minutes=5),
    timedelta(days=1),
    timedelta(weeks=1),
    timedelta(days=365),
)

# --- Keys and certificates ------------------------------------------------------------------
RSA_BITS: Final = (2048, 3072, 4096)  # BR 6.1.5 floor; above 4096 a handshake costs more than it protects
RSA_MAX_PARSE_BITS: Final = 4096  # checked before loading: an RSA-8192 key costs 3.7 s
RSA_EXPONENT: Final = 65537  # BR 6.1.6
EC_CURVES: Final = ("secp256r1", "secp384r1")  # BR 6.1.5; P-521 is not in every browser
MIN_VALIDITY_LEFT: Final = timedelta(days=7)  # Cloudflare asks for 14; a weekend and a ticket fit in 7
MAX_SANS: Final = 100
CLOCK_SKEW: Final = timedelta(minutes=5)  # our clock against the CA's

# CA/Browser Forum ballot SC-081v3: the longest lifetime by issue date, public trust only.
LIFETIME_CAPS: Final = (
    (date(2029, 3, 15), timedelta(days=47)),
    (date(2027, 3, 15), timedelta(days=100)),
    (date(2026, 3, 15), timedelta(days=200)),
    (date(2020, 9, 1), timedelta(days=398)),
)

MOST_REMOVALS: Final = 5  # in one pass of a round: more strays than this are a wrong or restored database, not strays
MOST_SHOWN: Final = 20  # objects in no drop's place that are named; the rest are like them

OPERATOR_NAME_CHARS: Final = 100  # in a form; the records have room for 128, with the word before it

# --- Before a certificate ends ----------------------------------------------------------------
# A rung begins when this fraction of the lifetime is left, within a floor and a ceiling of time left.
# 1/3: Let's Encrypt's integration guide, certmagic's RenewalWindowRatio. 30 days: certbot's and Let's Encrypt's
# renewal of 90-day certificates; earlier, a customer of a yearly certificate pays for days he does not use.
# 14, 7 and 3 days: two weeks for a purchase, one for a holiday, a long weekend. The floors are those of a 3-day
# life: a working day, half of one, and hours in which a person on call still does something.
EXPIRY_LADDER: Final = {
    "open-renewal": (1 / 3, timedelta(hours=24), timedelta(days=30)),
    "remind": (1 / 6, timedelta(hours=12), timedelta(days=14)),
    "urgent": (1 / 12, timedelta(hours=6), timedelta(days=7)),
    "last-days": (1 / 24, timedelta(hours=3), timedelta(days=3)),
}
ENDED_LOOKBACK: Final = timedelta(days=30)  # how long after its end a certificate still served is shown one by one
MOST_IN_A_LETTER: Final = 50  # certificates listed one by one: two screens of mail; the rest is counted
LETTER_TRIES: Final = 3  # of a channel that says it failed; the ticket has the letter by then, and the next rung comes
LETTER_UNSURE: Final = timedelta(minutes=10)  # a process that sends has ended by then, whatever became of it
ACCOUNTS_AT_ONCE: Final = 500  # names a step gives
MOST_SERIES: Final = 1000  # certificates with metrics of their own: Prometheus bears it, a person reads the first
SCAN_CHUNK: Final = 5000  # certificates a step reads: some MB, and a second lost by a kill
SCAN_FRESH: Final = timedelta(hours=12)  # a scan that stopped within it goes on where it was, an older one begins anew

# --- What is served ---------------------------------------------------------------------------
WATCH_CHUNK: Final = 200  # hostnames a step looks at: some seconds
WATCH_CONCURRENCY: Final = 32  # handshakes at a time: sockets wait, two cores are enough
WATCH_TIMEOUT: Final = timedelta(seconds=5)  # of one handshake; Chrome gives up on a connection much later
SILENT_AFTER: Final = 3  # connections in a row that an address does not take: it is not asked again in this chunk
DNS_SILENT_AFTER: Final = 20  # look-ups in a row, of different zones, that nobody answers: it is the resolvers
PUBLIC_ADDRESSES: Final = 4  # of one hostname that are looked at: the pair, in both families

# --- The pair -------------------------------------------------------------------------------
EDGE_MEMORY_MB: Final = 160  # the memory an edge may use, and what the customer pays for
ROLLBACK_DEADLINE: Final = timedelta(seconds=5)
HANDSHAKE_TIMEOUT: Final = timedelta(seconds=5)
