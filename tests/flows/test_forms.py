"""What an operator reads in the UI's forms before a run: titles, help, examples."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect import Flow
from prefect.utilities.callables import parameter_schema

DEPLOYMENTS = yaml.safe_load(Path("prefect.yaml").read_text())["deployments"]


def _flow_of(deployment: dict[str, Any]) -> Flow[..., Any]:
    module, _, name = deployment["entrypoint"].rpartition(".")
    found: Flow[..., Any] = getattr(import_module(module), name)
    return found


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda deployment: str(deployment["name"]))
class TestEveryDeployment:
    def test_has_a_description_for_an_operator(self, deployment: dict[str, Any]) -> None:
        """The deployment says in words what it does, and the flow's docstring is no copy of a function's name."""
        assert len(deployment["description"].split()) > 5
        assert len(str(_flow_of(deployment).description).split()) > 5

    def test_is_named_as_its_flow(self, deployment: dict[str, Any]) -> None:
        """Flow and deployment have one name, which the front desk starts it by."""
        assert deployment["name"] == _flow_of(deployment).name

    def test_explains_every_field(self, deployment: dict[str, Any]) -> None:
        """Each parameter has a title, help and an example: Prefect shows bare names where it is not told otherwise."""
        properties = parameter_schema(_flow_of(deployment)).properties

        unexplained = [
            name
            for name, field in properties.items()
            if field["title"] == name or not field.get("description") or not field.get("examples")
        ]
        assert unexplained == []

    def test_has_no_field_of_two_types(self, deployment: dict[str, Any]) -> None:
        """No field may be None: the UI would show tabs called "str" and "None" instead of a field."""
        properties = parameter_schema(_flow_of(deployment)).properties

        assert [name for name, field in properties.items() if "anyOf" in field] == []
