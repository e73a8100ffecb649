"""Settings of traces, metrics and Kiali."""

from enum import Enum

from kafka_on_istio.settings.mesh import Chart
from kafka_on_istio.settings.values import Label, Model, Percentage, setting


class Monitoring(str, Enum):
    """Which metrics there are, and who may read them."""

    BASIC = "basic"
    """Metrics of sidecars and services, open to the cluster."""
    FULL = "full"
    """Kafka's metrics as well, open to Prometheus only, which alerts on them."""


class ObservabilitySettings(Model):
    """Traces, metrics and Kiali."""

    tracing_sampling: Percentage = setting(
        default=100,
        description="Percentage of requests that are traced, from 0 to 100.",
    )
    otlp_service: Label = setting(
        default="jaeger",
        description="Name of the Service in the Istio namespace that receives traces by OTLP (4317 gRPC, 4318 "
        "HTTP). The Jaeger chart is installed under this name.",
    )
    jaeger: bool = setting(
        default=True,
        description="Install Jaeger.",
    )
    prometheus: bool = setting(
        default=True,
        description="Install Prometheus.",
    )
    kiali: bool = setting(
        default=True,
        description="Install Kiali.",
    )
    jaeger_chart: Chart = setting(
        default={
            "chart": "jaeger",
            "repository": "https://jaegertracing.github.io/helm-charts",
            "version": "4.11.1",
        },
        description="Jaeger's chart, `{chart, repository, version}`. It must install Jaeger v2, and name its "
        "Service as 4.3.0 and later do.",
    )
    prometheus_chart: Chart = setting(
        default={
            "chart": "prometheus",
            "repository": "https://prometheus-community.github.io/helm-charts",
            "version": "29.27.0",
        },
        description="Prometheus' chart, `{chart, repository, version}`.",
    )
    kiali_chart: Chart = setting(
        default={"chart": "kiali-server", "repository": "https://kiali.org/helm-charts", "version": "2.30.0"},
        description="Kiali's chart, `{chart, repository, version}`.",
    )
    monitoring: Monitoring = setting(
        default=Monitoring.BASIC,
        description="`basic` exposes the metrics of sidecars and services to every pod of the cluster. `full` "
        "adds Kafka's, exposes all of them to Prometheus only, and installs alerting rules.",
    )
