"""A bad environment is told before anything starts: a line for each fault, and no secret in any."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from services import caller, recommendation
from services.__main__ import PROGRAMS
from services.environment import Call, Environment
from services.errors import SettingsError
from services.settings import answers, call_logging, calling, identity, listening

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]
PASSWORD = "very-secret"
KAFKA = {
    "KAFKA_TOPIC": "calls",
    "KAFKA_BOOTSTRAP_SERVER": "one:9092,two:9092",
    "KAFKA_USER_NAME": "writer",
    "KAFKA_PASSWORD": PASSWORD,
}


def faults(variables: dict[str, str]) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as found:
        caller.main("customer", variables)
    return found.value.faults


URLS = "URLs such as http://host:8080/ or POST http://host:8080/, with commas between them"
PATHS = "paths such as /customer or POST /orders, with commas between them"


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("PORT", "eighty", "a whole number from 1 to 65535"),
        ("PORT", "0", "a whole number from 1 to 65535"),
        ("STOP_DELAY_SECONDS", "nan", "seconds from 0 to 10"),
        ("STOP_DELAY_SECONDS", "-1", "seconds from 0 to 10"),
        ("UPSTREAM_TIMEOUT_SECONDS", "inf", "seconds from 0.1 to 300"),
        ("UPSTREAM_URL", "preference:8080", URLS),
        ("UPSTREAM_URL", ",", URLS),
        ("UPSTREAM_URL", "http://:80/", URLS),
        ("UPSTREAM_URL", "http://a:x/", URLS),
        ("UPSTREAM_URL", "SEND http://a/", URLS),
        ("UPSTREAM_URL", "POST ", URLS),
        ("ANSWERS", "orders", PATHS),
        ("ANSWERS", "/a b", PATHS),
        ("ANSWERS", "/{name}", PATHS),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "jaeger:4317", "a URL such as http://host:8080/"),
        ("SERVICE_NAME", "Not A Name", "lower-case letters, digits and inner hyphens, at most 63"),
        ("SERVICE_VERSION", "v_1", "lower-case letters, digits and inner hyphens, at most 63"),
        ("KAFKA_TOPIC", "a/b", "letters, digits, '.', '_' and '-', at most 249"),
        ("KAFKA_BOOTSTRAP_SERVER", "kafka", "host:port, several with commas between them"),
        ("KAFKA_BUFFER_RECORDS", "0", "a whole number from 1 to 10000000"),
    ],
)
def test_a_fault_names_variable_value_what_is_allowed_and_the_fix(name: str, value: str, allowed: str) -> None:
    (fault,) = faults({"UPSTREAM_URL": "http://preference:8080/", **KAFKA, name: value})
    assert fault == f"{name} is {value!r}: it must be {allowed}; correct it in the environment"


def test_what_is_missing_for_kafka_is_missed_once_anything_for_kafka_is_set() -> None:
    assert [fault.split()[0] for fault in faults({"UPSTREAM_URL": "http://a/", "KAFKA_TOPIC": "calls"})] == [
        "KAFKA_BOOTSTRAP_SERVER",
        "KAFKA_USER_NAME",
        "KAFKA_PASSWORD",
    ]
    assert call_logging(Environment({"KAFKA_TOPIC": ""})) is None


def test_calls_and_answers_are_get_unless_a_method_stands_before_them() -> None:
    environment = Environment({"UPSTREAM_URL": "http://a:8080/, POST http://b:8080/orders", "ANSWERS": "/,PUT /x"})
    assert environment.calls("UPSTREAM_URL") == (Call("GET", "http://a:8080/"), Call("POST", "http://b:8080/orders"))
    assert answers(environment) == (Call("GET", "/"), Call("PUT", "/x"))
    assert calling(Environment({})).calls == ()
    assert answers(Environment({})) == (Call("GET", "/"),)


@pytest.mark.parametrize("value", ["calls", "calls=", "=a", "calls=A b", "calls=customer,"])
def test_whose_calls_may_be_in_which_topic_is_told_in_pairs(value: str) -> None:
    environment = Environment({"KAFKA_WRITERS": value})
    environment.writers("KAFKA_WRITERS")
    (fault,) = environment.faults
    assert fault.startswith(f"KAFKA_WRITERS is {value!r}: it must be topic=service, several with commas between them")
    assert Environment({}).writers("KAFKA_WRITERS") == {}


def test_the_clock_of_recommendation_is_a_url() -> None:
    with pytest.raises(SettingsError, match=r"TIME_API_URL is 'clock': it must be a URL"):
        recommendation.main("recommendation", {"TIME_API_URL": "clock"})


def test_a_service_is_called_after_its_program_unless_it_has_a_name() -> None:
    assert identity(Environment({}), "customer").name == "customer"
    shop = identity(Environment({"SERVICE_NAME": "shop", "SERVICE_VERSION": "v2", "HOSTNAME": "pod-1"}), "customer")
    assert (shop.name, shop.version, shop.host, shop.trace_name) == ("shop", "v2", "pod-1", "shop")
    assert listening(Environment({})).port == 8080


def test_the_password_is_in_no_text_of_the_settings() -> None:
    settings = call_logging(Environment(KAFKA))
    assert settings is not None
    assert settings.login.client()["sasl.password"] == PASSWORD
    assert PASSWORD not in repr(settings)


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "services", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env={"PATH": os.environ["PATH"], **environment}, capture_output=True, text=True, check=False
    )


def test_every_fault_is_a_line_and_the_exit_code_is_two() -> None:
    result = run("customer", PORT="x", UPSTREAM_URL="preference", **KAFKA | {"KAFKA_TOPIC": "a/b"})
    assert result.returncode == 2
    assert [line.split(":")[1] for line in result.stderr.splitlines()] == [
        " PORT is 'x'",
        " KAFKA_TOPIC is 'a/b'",
        " UPSTREAM_URL is 'preference'",
    ]
    assert result.stdout == ""


def test_help_names_every_program_and_every_variable() -> None:
    said = run("--help").stdout
    sources = "".join(path.read_text() for path in (ROOT / "services").glob("*.py"))
    variables = set(re.findall(r'environment\.[a-z]+\("([A-Z_]+)"', sources))
    assert {"KAFKA_PASSWORD", "UPSTREAM_TIMEOUT_SECONDS", "WINDOW_SECONDS"} <= variables
    assert {name for name in variables | set(PROGRAMS) if name not in said} == set()
