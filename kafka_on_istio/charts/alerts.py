"""What Prometheus warns of.

Kafka's metrics have the names that Strimzi's metrics reporter gives them: the JMX bean's group, type and name, in lower
case and joined by ``_`` (strimzi/metrics-reporter, YammerMetricWrapper.java). The mesh's are Istio's standard ones, the
others the services' own.
"""

from typing import Any

KAFKA_METRICS = (
    "kafka_controller_kafkacontroller_.*",
    "kafka_server_replicamanager_.*",
    "kafka_server_brokertopicmetrics_.*",
)
"""Patterns of the metrics that brokers and controllers offer: those of the rules, and their traffic."""


def groups() -> list[dict[str, Any]]:
    """Return groups of alerting rules as Prometheus reads them; each says which namespace it is about."""
    return [
        _group(
            "kafka",
            _rule(
                "KafkaWithoutController",
                "sum by (namespace) (kafka_controller_kafkacontroller_activecontrollercount) != 1",
                "2m",
                "critical",
                "Kafka has {{ $value }} active controllers and must have one: no topic, user or leader can change.",
            ),
            _rule(
                "KafkaPartitionsOffline",
                "max by (namespace) (kafka_controller_kafkacontroller_offlinepartitionscount) > 0",
                "1m",
                "critical",
                "{{ $value }} partitions have no leader: they take and give no records.",
            ),
            _rule(
                "KafkaPartitionsBelowMinimum",
                "sum by (namespace) (kafka_server_replicamanager_underminisrpartitioncount) > 0",
                "2m",
                "critical",
                "{{ $value }} partitions have fewer in-sync replicas than min.insync.replicas: they accept no records.",
            ),
            _rule(
                "KafkaPartitionsUnderReplicated",
                "sum by (namespace) (kafka_server_replicamanager_underreplicatedpartitions) > 0",
                "15m",
                "warning",
                "{{ $value }} partitions have too few in-sync replicas.",
            ),
        ),
        _group(
            "services",
            _rule(
                "CallsFail",
                "sum by (namespace, destination_workload)"
                ' (rate(istio_requests_total{reporter="destination",response_code=~"5.."}[5m]))'
                " / sum by (namespace, destination_workload)"
                ' (rate(istio_requests_total{reporter="destination"}[5m])) > 0.05',
                "5m",
                "critical",
                "{{ $value | humanizePercentage }} of the calls of {{ $labels.destination_workload }} fail.",
            ),
            _rule(
                "RecordsLost",
                "sum by (namespace) (increase(kafka_records_dropped_total[10m])"
                " + increase(kafka_records_lost_total[10m])) > 0",
                "0m",
                "critical",
                "{{ $value }} records of calls have not got to Kafka and never will.",
            ),
            _rule(
                "RecordsWait",
                "sum by (namespace) (min_over_time(kafka_records_buffered[5m])) > 0",
                "5m",
                "warning",
                "{{ $value }} records wait for Kafka; beyond the services' buffers they are lost.",
            ),
        ),
        _group(
            "mesh",
            _rule(
                "ConfigurationRefused",
                "sum by (namespace) (increase(pilot_total_xds_rejects[10m])) > 0",
                "0m",
                "warning",
                "Sidecars have refused {{ $value }} configurations of istiod and go on with older ones.",
            ),
            _rule(
                "MetricsMissing",
                'up{job="kubernetes-pods"} == 0',
                "10m",
                "warning",
                "{{ $labels.namespace }}/{{ $labels.pod }} gives no metrics.",
            ),
        ),
    ]


def _group(name: str, *rules: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "rules": list(rules)}


def _rule(name: str, expression: str, lasting: str, severity: str, summary: str) -> dict[str, Any]:
    return {
        "alert": name,
        "expr": expression,
        "for": lasting,
        "labels": {"severity": severity},
        "annotations": {"summary": summary},
    }
