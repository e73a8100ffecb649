"""The mesh as it is seen from the calls: identities, TLS, shares, refusals, traces, and changes under traffic."""

from __future__ import annotations

import json
import re
import secrets
import subprocess
from collections import Counter
from typing import Any

import pytest
import yaml

from lab.binaries.build import istioctl
from lab.lab import ROOT
from tests.lab.conftest import System, eventually
from tests.lab.traffic import LOG_IN, Traffic, address, call, records

pytestmark = pytest.mark.lab

SPIFFE = "spiffe://cluster.local/ns"


def access_log(system: System, workload: str, trace: str, namespace: str = "demo-app") -> list[Any]:
    """Return the lines of a sidecar's access log that belong to a trace."""
    text = system.kubectl("-n", namespace, "logs", f"deployment/{workload}", "-c", "istio-proxy", "--tail=300")
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return [line for line in lines if line.get("trace_id") == trace]


def traced(system: System, method: str = "GET", path: str = "") -> tuple[int, str, str]:
    """Call customer at the gateway; return status, reply and trace id."""
    trace = secrets.token_hex(16)
    status, reply = call(address(system) + path, traceparent=f"00-{trace}-{secrets.token_hex(8)}-01")
    return status, reply, trace


def test_each_hop_of_a_call_is_mutual_tls_between_the_declared_identities(system: System) -> None:
    status, reply, trace = traced(system)
    assert status == 200
    version = re.search(r"recommendation (v\d)", reply)
    assert version
    hops = {
        "customer-v1": f"{SPIFFE}/istio-system/sa/istio-ingressgateway",
        "preference-v1": f"{SPIFFE}/demo-app/sa/customer-v1",
        f"recommendation-{version[1]}": f"{SPIFFE}/demo-app/sa/preference-v1",
    }
    for workload, caller in hops.items():

        def inbound(workload: str = workload) -> Any:
            return [
                line for line in access_log(system, workload, trace) if line["upstream_cluster"].startswith("inbound")
            ]

        (line,) = eventually(inbound)
        assert line["downstream_peer_uri_san"] == caller
        assert line["downstream_local_uri_san"] == f"{SPIFFE}/demo-app/sa/{workload}"
        assert line["downstream_tls_version"] == "TLSv1.3"
        assert line["response_code"] == 200


def test_a_connection_to_kafka_is_mutual_tls_too(system: System) -> None:
    assert system.script("deployment/customer-v1", f"PASSWORD = None\n{LOG_IN}").strip() == "in"

    def closed() -> Any:
        text = system.kubectl(
            "-n", "kafka", "logs", "demo-app-log-cluster-combined-0", "-c", "istio-proxy", "--tail=50"
        )
        lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
        return [
            line
            for line in lines
            if line["downstream_local_address"].endswith(":9092")
            and line["downstream_peer_uri_san"] == f"{SPIFFE}/demo-app/sa/customer-v1"
        ]

    line = eventually(closed)[-1]
    assert line["downstream_tls_version"] == "TLSv1.3"
    assert line["downstream_local_uri_san"] == f"{SPIFFE}/kafka/sa/demo-app-log-cluster-kafka"


@pytest.mark.parametrize("workload", ["customer", "preference", "recommendation"])
def test_who_speaks_plaintext_is_not_heard(system: System, workload: str) -> None:
    target = system.get("-n", "demo-app", "service", workload)["spec"]["clusterIP"]
    status, error = call(f"http://{target}:8080/")
    assert (status, "reset by peer" in error) == (0, True), error


@pytest.mark.parametrize(
    ("path", "expected"), [("/other", 404), ("/misbehave", 404), ("", 200)]
)  # only what is declared has a route
def test_the_gateway_lets_in_the_declared_path_alone(system: System, path: str, expected: int) -> None:
    base = address(system)
    url = base if not path else base.removesuffix("/customer") + path
    assert call(url)[0] in ({200} if expected == 200 else {403, 404})


def test_recommendation_is_shared_out_as_declared(system: System) -> None:
    counted: Counter[str] = Counter()
    for _ in range(300):
        status, reply = call(address(system))
        assert status == 200
        counted[reply.split("recommendation ")[1].split()[0]] += 1
    # Five standard deviations of a binomial distribution of 300.
    assert abs(counted["v1"] - 120) < 43, counted
    assert abs(counted["v2"] - 120) < 43, counted
    assert abs(counted["v3"] - 60) < 35, counted


def test_only_the_declared_host_outside_is_reached_and_only_by_its_service(system: System) -> None:
    code = (
        "import urllib.error, urllib.request as u\n"
        "for url in ('http://worldclockapi.com/api/json/cet/now', 'http://198.51.100.1/api/json/cet/now',\n"
        "            'http://198.51.100.1:8000/', 'http://198.51.100.2/'):\n"
        "  try: print(u.urlopen(url, timeout=3).status)\n"
        "  except urllib.error.HTTPError as error: print(error.code)\n"
        "  except OSError as error: print('refused')\n"
    )
    by_v3 = system.script("deployment/recommendation-v3", code).split()
    assert by_v3[0] == "200"
    assert set(by_v3[1:]) <= {"refused", "502"}
    for other in ("recommendation-v1", "customer-v1", "consumer-v1"):
        assert set(system.script(f"deployment/{other}", code).split()) <= {"refused", "502"}, other


def test_a_trace_goes_from_the_gateway_to_the_record_in_kafka(system: System) -> None:
    status, _, trace = traced(system)
    assert status == 200

    def whole() -> Any:
        lines = system.command("trace", trace).stdout
        services = re.findall(r"─ ([\w.-]+): ", lines)
        needed = {"istio-ingressgateway.istio-system", "customer.demo-app", "customer", "preference", "recommendation"}
        return lines if needed <= set(services) else None

    lines = eventually(whole, 40).splitlines()
    assert lines[0] == f"trace {trace}"
    assert "istio-ingressgateway" in lines[1]
    # One tree: all hang below the gateway's span.
    assert sum(line.startswith(("├─", "└─")) for line in lines) == 1
    assert len([record for record in records(system) if trace in record["headers"].get("traceparent", "")]) == 3


def test_istiod_may_be_away_and_come_back_under_traffic(system: System) -> None:
    with Traffic(system) as traffic:
        system.kubectl("-n", "istio-system", "rollout", "restart", "deployment/istiod")
        system.kubectl("-n", "istio-system", "rollout", "status", "deployment/istiod", "--timeout=90s")
        traffic.some(40)
    assert traffic.failed() == []


def gateway_pods(system: System) -> set[str]:
    """Return the names of the gateway's pods that run."""
    found = system.get("-n", "istio-system", "pods", "-l", "istio=ingressgateway")["items"]
    return {item["metadata"]["name"] for item in found if "deletionTimestamp" not in item["metadata"]}


def test_a_changed_value_of_istio_rolls_the_gateway_under_traffic(system: System) -> None:
    values = yaml.safe_load((ROOT / "Pulumi.lab.yaml").read_text())["config"]["kafka-on-istio:chartValues"]
    changed = values | {"gateway": {"resources": {"requests": {"cpu": "90m"}}}}
    before = gateway_pods(system)
    with Traffic(system) as traffic:
        result = system.command("up", "--config", f"chartValues={json.dumps(changed)}")
        assert result.returncode == 0, result.stdout + result.stderr
        after = gateway_pods(system)
        assert len(after) == 1
        assert not after & before
        result = system.command("up")
        assert result.returncode == 0, result.stdout + result.stderr
        assert not gateway_pods(system) & after
        traffic.some()
    assert traffic.failed() == []


def test_a_policy_that_is_taken_away_is_felt_at_once_and_back_when_it_is_back(system: System) -> None:
    manifest = system.get("-n", "demo-app", "authorizationpolicy", "preference")
    kept = {key: manifest[key] for key in ("apiVersion", "kind", "spec")}
    kept["metadata"] = {"name": "preference", "namespace": "demo-app"}
    system.kubectl("-n", "demo-app", "delete", "authorizationpolicy", "preference")
    try:
        refused = eventually(lambda: next((answer for answer in [call(address(system))] if answer[0] == 503), None))
        assert refused[1].startswith("customer => Error: 403 - RBAC: access denied")
    finally:
        system.kubectl(
            "apply",
            "--server-side",
            "--force-conflicts",
            "--field-manager=pulumi-kubernetes-lab",
            "-f",
            "-",
            text=json.dumps(kept),
        )
    eventually(lambda: call(address(system))[0] == 200)


CERTIFICATE = "import urllib.request as u; print(u.urlopen('http://localhost:15000/certs').read().decode())"


def serial(system: System, workload: str) -> str:
    """Return the serial number of the certificate that a workload's sidecar shows."""
    chains = json.loads(system.script(f"deployment/{workload}", CERTIFICATE))["certificates"]
    return next(item["cert_chain"][0]["serial_number"] for item in chains if item.get("cert_chain"))


def test_certificates_are_renewed_under_traffic(system: System) -> None:
    before = system.get("-n", "demo-app", "deployment", "preference-v1")
    annotation = {"proxy.istio.io/config": '{"proxyMetadata": {"SECRET_TTL": "20s"}}'}
    patch = {"spec": {"template": {"metadata": {"annotations": annotation}}}}
    rollout = ("-n", "demo-app", "rollout", "status", "deployment/preference-v1", "--timeout=90s")
    with Traffic(system) as traffic:
        system.kubectl("-n", "demo-app", "patch", "deployment", "preference-v1", "-p", json.dumps(patch))
        system.kubectl(*rollout)
        first = eventually(lambda: serial(system, "preference-v1"))
        second = eventually(lambda: (found := serial(system, "preference-v1")) != first and found, 40)
        assert eventually(lambda: serial(system, "preference-v1") not in (first, second), 40)
        system.kubectl("-n", "demo-app", "rollout", "undo", "deployment/preference-v1")
        system.kubectl(*rollout)
        traffic.some()
    assert traffic.failed() == []
    after = system.get("-n", "demo-app", "deployment", "preference-v1")
    assert after["spec"]["template"] == before["spec"]["template"]


def test_istioctl_finds_nothing_to_say(system: System) -> None:
    command = [str(istioctl()), "analyze", "--all-namespaces", "--kubeconfig", str(system.kubeconfig)]
    result = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stdout + result.stderr
    said = (result.stdout + result.stderr).splitlines()
    assert [line for line in said if line.startswith(("Error", "Warning"))] == []
