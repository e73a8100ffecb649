"""What a service's environment says of the declaration: what to call, and what is asked of it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from kafka_on_istio.environment import environment
from kafka_on_istio.settings.settings import Settings
from services.environment import Environment
from services.settings import answers, calling

pytestmark = pytest.mark.unit


def of(settings: Settings, name: str) -> dict[str, str]:
    """Return the environment of a service's first version."""
    service = settings.service(name)
    return environment(settings, service, service.versions[0])


@pytest.fixture
def shop(defaults: dict[str, Any], settings: Callable[..., Settings]) -> Settings:
    """The demo, with a shop that customer, preference and a route call each in its way."""
    services = copy.deepcopy(defaults["services"])
    services[0]["calls"].append({"service": "shop", "method": "POST", "path": "/orders"})
    services[1]["calls"].append({"service": "shop", "method": "GET", "path": "/"})
    services.append({"name": "shop", "versions": [{"name": "v1"}], "program": "customer"})
    routes = [*defaults["routes"], {"path": "/shop", "service": "shop", "method": "PUT", "target": "/stock"}]
    return settings(services=services, routes=routes)


def test_what_everybody_asks_by_default_goes_without_saying(settings: Callable[..., Settings]) -> None:
    for name in ("customer", "preference", "recommendation", "consumer"):
        assert "ANSWERS" not in of(settings(), name)
    assert of(settings(), "customer")["UPSTREAM_URL"] == "http://preference:8080/"


def test_calls_are_told_in_order_with_methods_and_paths(shop: Settings) -> None:
    told = of(shop, "customer")["UPSTREAM_URL"]
    assert told == "http://preference:8080/,POST http://shop:8080/orders"


def test_what_callers_and_routes_ask_is_told(shop: Settings) -> None:
    assert of(shop, "shop")["ANSWERS"] == "PUT /stock,POST /orders,/"


def test_the_services_understand_what_they_are_told(shop: Settings) -> None:
    found = Environment(of(shop, "customer"))
    assert [(call.method, call.where) for call in calling(found).calls] == [
        ("GET", "http://preference:8080/"),
        ("POST", "http://shop:8080/orders"),
    ]
    asked = Environment(of(shop, "shop"))
    assert [(call.method, call.where) for call in answers(asked)] == [
        ("PUT", "/stock"),
        ("POST", "/orders"),
        ("GET", "/"),
    ]
    found.check()
    asked.check()


def test_the_consumer_is_told_whose_calls_may_be_in_which_topic(
    defaults: dict[str, Any], settings: Callable[..., Settings]
) -> None:
    services = copy.deepcopy(defaults["services"])
    services.append({"name": "shop", "versions": [{"name": "v1"}], "writes": "demo-application-log-customer"})
    found = Environment(of(settings(services=services), "consumer"))
    assert found.writers("KAFKA_WRITERS") == {
        "demo-application-log-customer": {"CUSTOMER", "SHOP"},
        "demo-application-log-preference": {"PREFERENCE"},
        "demo-application-log-recommendation": {"RECOMMENDATION"},
    }
    found.check()
