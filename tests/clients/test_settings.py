"""Settings are read from YAML and the environment, and every fault is named."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from tasks.clients.settings import load_settings
from tasks.core.errors import BadInput
from tasks.core.expiry import Rung

MINIMAL = {
    "platform": {
        "cname_targets": ["edge.platform.test"],
        "addresses": ["127.0.0.11"],
        "piggyback_domain": "apps.platform.test",
    },
    "live_check": {"resolvers": ["127.0.0.1:53"]},
    "edges": [
        {"name": "a", "directory": "edges/a", "address": "127.0.0.11"},
        {"name": "b", "directory": "/srv/b", "address": "127.0.0.12"},
    ],
    "billing": {"prices": {"shared": [{"from": "2020-01-01", "unit_price": "0.02"}]}},
    "operators": {"approvers": ["olga"]},
}


@pytest.fixture(name="file")
def _file(tmp_path: Path) -> Path:
    path = tmp_path / "certferry.yaml"
    path.write_text(yaml.safe_dump(MINIMAL))
    return path


def change(file: Path, **sections: object) -> None:
    file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), **sections}))


def prices(*shared: tuple[str, str], **others: object) -> dict[str, object]:
    """Give a billing section."""
    listed = [{"from": starts, "unit_price": price} for starts, price in shared]
    return {"billing": {"prices": {"shared": listed}, **others}}


class TestLoadSettings:
    def test_relative_paths_are_relative_to_the_file(self, file: Path) -> None:
        """An installation's directory can be moved as a whole."""
        settings = load_settings(file)

        assert [file.parent / "edges/a", Path("/srv/b")] == [edge.directory for edge in settings.edges]
        assert f"sqlite:///{file.parent}/certferry.db" == settings.database.url
        assert file.parent / "wrapping.key" == settings.keys.file

    def test_the_environment_wins_over_the_file(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A database password need not stand in the file."""
        change(file, database={"url": "sqlite:///elsewhere.db"}, store={"region": "eu-north-1"})
        monkeypatch.setenv("CERTFERRY_DATABASE__URL", "postgresql+psycopg://db/certferry")
        monkeypatch.setenv("CERTFERRY_STORE__DROPS_BUCKET", "other")

        settings = load_settings(file)

        assert settings.database.url == "postgresql+psycopg://db/certferry"
        assert (settings.store.region, settings.store.drops_bucket) == ("eu-north-1", "other")

    @pytest.mark.parametrize(
        ("sections", "named"),
        [
            ({"databse": {}}, "databse"),
            ({"store": {"bucket": "x"}}, "store.bucket"),
            ({"billing": {"unit_price": "1"}}, "billing.unit_price"),
            (prices(("2026-01-01", "-1")), "billing.prices.shared.0.unit_price"),
            (prices(("2026-01-01", "NaN")), "billing.prices.shared.0.unit_price"),
            (prices(), "billing.prices.shared"),
            (prices(("2026-02-01", "1"), ("2026-01-01", "2")), "billing.prices.shared"),
            (prices(("2026-02-01", "1"), ("2026-02-01", "2")), "billing.prices.shared"),
            (prices(("2026-02-30", "1")), "billing.prices.shared.0.from"),
            (prices(("2026-01-01", "1"), currency="EUX"), "billing.currency"),
            (prices(("2026-01-01", "1"), time_zone="Mars/Olympus"), "billing.time_zone"),
            (prices(("2026-01-01", "1"), time_zone="../zoneinfo"), "billing.time_zone"),
            (prices(("2026-01-01", "1"), megabytes=0), "billing.megabytes"),
            ({"trust": {"store": "private"}}, "trust.file"),
            ({"trust": {"minimum_validity": 14}}, "trust.minimum_validity"),
            ({"trust": {"minimum_validity": "P0D"}}, "trust.minimum_validity"),
            ({"trust": {"file": "roots.pem"}}, "trust.file"),
            ({"rules": {"maximum_lifetime": "P0D"}}, "rules.maximum_lifetime"),
            ({"rules": {"rsa_minimum_bits": 1024}}, "rules.rsa_minimum_bits"),
            ({"rules": {"maximum_names": 101}}, "rules.maximum_names"),
            ({"rules": {"curves": ["secp521r1"]}}, "rules.curves"),
            ({"rules": {"refused_warnings": ["no-stc"]}}, "rules.refused_warnings"),
            ({"edges": MINIMAL["edges"][:1]}, "edges"),  # type: ignore[index]
            ({"operators": {"approvers": []}}, "operators.approvers"),
            ({"platform": {**MINIMAL["platform"], "cname_targets": ["https://x/"]}}, "platform.cname_targets"),  # type: ignore[dict-item]
        ],
    )
    def test_a_fault_is_refused_and_named(self, file: Path, sections: dict[str, object], named: str) -> None:
        """A misspelt or impossible setting is an error, never a silent default."""
        change(file, **sections)

        with pytest.raises(BadInput, match=named):
            load_settings(file)

    def test_all_faults_are_named_at_once(self, file: Path) -> None:
        """Nobody mends a settings file one error at a time."""
        change(file, one={}, two={})

        with pytest.raises(BadInput, match=r"one.*two"):
            load_settings(file)

    def test_a_missing_file_says_what_to_set(self, tmp_path: Path) -> None:
        """A forgotten CERTFERRY_SETTINGS is told from an empty file."""
        with pytest.raises(BadInput, match="CERTFERRY_SETTINGS"):
            load_settings(tmp_path / "none.yaml")

    def test_a_file_that_is_not_yaml_is_refused(self, file: Path) -> None:
        """A syntax error is ours to report, not a traceback."""
        file.write_text("platform: [")

        with pytest.raises(BadInput, match="YAML"):
            load_settings(file)


class TestExpiry:
    def test_a_rung_can_be_moved(self, file: Path) -> None:
        """Each number of the ladder is an installation's own to choose."""
        change(file, expiry={"urgent": {"fraction": "1/10", "least": "PT8H", "most": "P10D"}})
        rule = load_settings(file).expiry.ladder.rules[Rung.URGENT]
        assert (rule.fraction, rule.least, rule.most) == (0.1, timedelta(hours=8), timedelta(days=10))

    def test_rungs_out_of_order_are_refused(self, file: Path) -> None:
        """A ladder whose rungs change places would tell of one and never of the other."""
        change(file, expiry={"urgent": {"fraction": "1/4", "least": "PT6H", "most": "P7D"}})
        with pytest.raises(BadInput, match="remind must begin before urgent"):
            load_settings(file)

    @pytest.mark.parametrize("zone", ["Europe/Atlantis", "Europe", "../../etc/passwd", ""])
    def test_a_time_zone_must_exist(self, file: Path, zone: str) -> None:
        """Dates in letters are in it."""
        change(file, notices={"time_zone": zone})
        with pytest.raises(BadInput, match="no such time zone"):
            load_settings(file)

    def test_the_url_of_a_channel_comes_from_the_environment_and_is_never_shown(
        self, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It holds a password: no message, repr or dump of the settings repeats it."""
        monkeypatch.setenv("CERTFERRY_NOTICES__OPERATORS", '{"chat": "slack://secret-token"}')
        settings = load_settings(file)
        assert settings.notices.operators["chat"].get_secret_value() == "slack://secret-token"
        assert "secret-token" not in f"{settings!r} {settings.model_dump()} {settings.model_dump_json()}"

    def test_the_desk_is_no_channel_of_the_settings(self, file: Path) -> None:
        """Its name is taken: a letter goes by each channel once."""
        change(file, notices={"customers": {"ticket": "json://localhost"}})
        with pytest.raises(BadInput, match="ticket desk"):
            load_settings(file)


class TestExample:
    EXAMPLE = Path(__file__).parents[2] / "deployments" / "example.yaml"

    def test_loads(self) -> None:
        """The file that operators copy is a valid one."""
        assert [edge.name for edge in load_settings(self.EXAMPLE).edges] == ["edge-a", "edge-b"]

    def test_shows_every_setting(self) -> None:
        """A setting that is not in the example is a setting nobody finds."""
        shown = yaml.safe_load(self.EXAMPLE.read_text())

        known = load_settings(self.EXAMPLE).model_dump(mode="json")
        assert {s: keys_of(v) for s, v in known.items()} == {s: keys_of(v) for s, v in shown.items()}

    def test_shows_the_defaults(self, file: Path) -> None:
        """What is left out of a file is what the example says."""
        example, minimal = load_settings(self.EXAMPLE), load_settings(file)

        for section in ("store", "drops", "front_desk", "expiry", "notices"):
            assert getattr(example, section) == getattr(minimal, section)
        assert example.keys.model_dump(exclude={"file"}) == minimal.keys.model_dump(exclude={"file"})


def keys_of(section: Any) -> list[str]:
    """Give the sorted keys of a mapping, or of the mappings in a list."""
    mappings = section if isinstance(section, list) else [section]
    return sorted({key for mapping in mappings for key in mapping})
