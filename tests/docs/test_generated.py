"""Diagrams and the reference of the settings are those of the program."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from harness import urn
from harness.graph import Resource
from kafka_on_istio.access.derivation import access_model
from kafka_on_istio.settings.loading import load
from tools.documentation import components, configuration, reference, system
from tools.documentation.generated import PLACES, ROOT, filled, names

PROJECT = "kafka-on-istio"


def resource(noun: str, name: str, *, needs: tuple[Resource, ...] = (), within: Resource | None = None) -> Resource:
    token = noun if ":" in noun else f"{PROJECT}:index:{noun}"
    parent = within.urn if within else ""
    needed = tuple(item.urn for item in needs)
    return Resource(
        urn.make("dev", PROJECT, parent, token, name), token, custom=":" in noun, parent=parent, dependencies=needed
    )


@pytest.mark.program
@pytest.mark.parametrize("place", PLACES)
def test_a_document_is_current(place: str, parts: Mapping[str, str]) -> None:
    text = (ROOT / place).read_text(encoding="utf-8")
    assert text == filled(text, parts), "write it anew: make docs"


@pytest.mark.program
def test_every_part_has_its_place(parts: Mapping[str, str]) -> None:
    placed = {name for place in PLACES for name in names((ROOT / place).read_text(encoding="utf-8"))}
    assert placed == parts.keys()


@pytest.mark.unit
def test_an_arrow_leads_from_what_comes_first_and_none_follows_from_others() -> None:
    mesh = resource("Mesh", "mesh")
    chart = resource("kubernetes:helm.sh/v4:Chart", "base", within=mesh)
    kafka = resource("Kafka", "kafka", needs=(chart,))
    users = [resource("User", name, needs=(kafka, mesh)) for name in ("b", "a")]
    lines = components.diagram([*users, kafka, chart, mesh]).splitlines()
    assert lines == [
        "flowchart TD",
        '    Kafka["<b>Kafka</b><br/>kafka"]',
        '    Mesh["<b>Mesh</b><br/>mesh<br/><i>Chart</i>"]',
        '    User["<b>User</b><br/>a<br/>b"]',
        "    Mesh --> Kafka",
        "    Kafka --> User",
    ]


@pytest.mark.unit
def test_the_diagram_shows_callers_users_and_outside_hosts() -> None:
    services = [
        {
            "name": "shop",
            "versions": [{"name": "v1"}],
            "calls": [{"service": "stock", "method": "GET", "path": "/"}],
            "writes": "sold.items",
        },
        {
            "name": "stock",
            "versions": [
                {"name": "v1", "weight": 90},
                {
                    "name": "v2",
                    "weight": 10,
                    "hosts": [{"host": "example.com", "port": 80, "protocol": "HTTP", "env": "URL"}],
                },
            ],
            "reads": ["sold.items"],
            "group": "stock",
        },
    ]
    routes = [{"path": "/shop", "method": "GET", "service": "shop", "target": "/"}]
    drawn = system.diagram(access_model(load({"services": json.dumps(services), "routes": json.dumps(routes)})))
    arrows = [line.strip() for line in drawn.splitlines() if "->" in line]
    assert arrows == [
        "outside -->|GET /shop| gateway",
        "gateway -->|GET /| shop",
        "shop -->|GET /| stock",
        "shop -.->|shop-writer| sold_items",
        "sold_items -.->|stock-reader| stock",
        "stock -->|v2| example_com",
    ]
    assert "        stock[stock<br/>v1, v2]" in drawn.splitlines()


@pytest.mark.unit
def test_a_setting_has_its_type_its_default_and_the_stacks_that_set_it() -> None:
    project = {
        "name": PROJECT,
        "config": {
            "ports": {"type": "array", "items": {"type": "integer"}, "description": "Some ports.", "default": [53]},
            "host": {"type": "string", "description": "A host.", "default": ""},
            "timeouts": {
                "type": "object",
                "description": "How long.",
                "default": {"chart": "10m" * 20, "kafka": "15m"},
            },
        },
    }
    assert configuration.reference(project, {"prod": {f"{PROJECT}:ports": [5353]}, "dev": {}}) == "\n\n".join(
        [
            "### ports",
            "Some ports.",
            "Type array of integer, default `[53]`. Set in [prod](../Pulumi.prod.yaml).",
            "### host",
            "A host.",
            "Type string, default empty.",
            "### timeouts",
            "How long.",
            "Type object. Default:",
            f"```yaml\nchart: {'10m' * 20}\nkafka: 15m\n```",
        ]
    )


@pytest.mark.unit
def test_a_component_has_its_inputs_the_required_ones_first_and_its_outputs() -> None:
    schema = {
        "resources": {
            "shop:index:Till": {
                "description": "Takes ``money``.",
                "inputProperties": {
                    "limit": {"type": "integer", "description": "How much."},
                    "coins": {"type": "array", "items": {"$ref": "#/types/shop:index:Coin"}, "description": "Which."},
                },
                "requiredInputs": ["coins"],
                "properties": {
                    "total": {
                        "type": "object",
                        "additionalProperties": {"$ref": "pulumi.json#/Any"},
                        "description": "Sum.",
                    }
                },
                "required": ["total"],
            }
        },
        "types": {
            "shop:index:Coin": {
                "description": "A coin.",
                "properties": {"value": {"type": "number", "description": "Worth."}},
            }
        },
    }
    assert (
        reference.reference(schema)
        == "### Till\n\nTakes `money`.\n\n| Input | Type | What it is |\n|---|---|---|\n| `coins` | [[Coin](#coin)] | Which. |\n| `limit?` | integer | How much. |\n\n| Output | Type | What it is |\n|---|---|---|\n| `total` | {any} | Sum. |\n\n### Coin\n\nA coin.\n\n| Field | Type | What it is |\n|---|---|---|\n| `value?` | number | Worth. |"
    )
