"""Types of single values, each with the words for what it allows."""

import re
from ipaddress import ip_network
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class Model(BaseModel):
    """Settings that belong together; keys are in camel case, and unknown keys are refused."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", validate_default=True)


def setting(*, default: Any, description: str) -> Any:
    """Return the field of a setting; the default is validated like a value of the stack, with keys in camel case."""
    return Field(default=default, description=description)


def matching(pattern: str, longest: int, allowed: str) -> AfterValidator:
    """Accept text of at most ``longest`` characters that matches all of ``pattern``; ``allowed`` describes it."""
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if len(value) > longest or not compiled.fullmatch(value):
            raise ValueError(f"must be {allowed}")
        return value

    return AfterValidator(check)


def within(lowest: int, highest: int) -> AfterValidator:
    """Accept numbers from ``lowest`` to ``highest``."""

    def check(value: int) -> int:
        if not lowest <= value <= highest:
            raise ValueError(f"must be from {lowest} to {highest}")
        return value

    return AfterValidator(check)


def _network(value: str) -> str:
    try:
        return str(ip_network(value))
    except ValueError as error:
        raise ValueError(f"must be an address range such as 10.0.0.0/8 or fd00::/8 ({error})") from error


_LABEL = r"[a-z]([-a-z0-9]*[a-z0-9])?"
_DNS_NAME = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_LABEL_KEY = rf"({_DNS_NAME}/)?[A-Za-z0-9]([\w.-]*[A-Za-z0-9])?"
_LABEL_TEXT = "lower-case letters, digits and '-', starting with a letter and not ending with '-'"

Label = Annotated[str, matching(_LABEL, 63, f"{_LABEL_TEXT}, at most 63 characters (a DNS label)")]
OptionalLabel = Annotated[
    str, matching(rf"({_LABEL})?", 63, f"{_LABEL_TEXT}, at most 63 characters (a DNS label), or empty")
]
ClusterName = Annotated[
    str, matching(_LABEL, 40, f"{_LABEL_TEXT}, at most 40 characters (Strimzi derives longer names from it)")
]
PoolName = Annotated[str, matching(_LABEL, 20, f"{_LABEL_TEXT}, at most 20 characters")]
ServiceName = Annotated[
    str, matching(_LABEL, 40, f"{_LABEL_TEXT}, at most 40 characters (longer names are derived from it)")
]
VersionName = Annotated[
    str,
    matching(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", 20, "lower-case letters, digits and '-', at most 20 characters"),
]
Instance = Annotated[
    str,
    matching(
        r"([a-z0-9]([-a-z0-9]*[a-z0-9])?)?",
        20,
        "lower-case letters, digits and '-', not starting or ending with '-', at most 20 characters, or empty",
    ),
]
WatchedNamespace = Annotated[
    str, matching(rf"{_LABEL}|\*", 63, f"a namespace ({_LABEL_TEXT}, at most 63 characters), or '*' for all of them")
]
ObjectName = Annotated[
    str,
    matching(
        r"[A-Z][A-Za-z]*/([a-z0-9][a-z0-9.:-]*|\*)",
        300,
        "kind and name of a cluster-wide object, such as ClusterRole/kiali, or '*' as the name for all of a kind",
    ),
]
StackName = Annotated[
    str,
    matching(
        r"([\w.-]+/[\w.-]+/[\w.-]+)?",
        300,
        "organization/project/stack, such as organization/kafka-on-istio/platform, or empty",
    ),
]
DnsName = Annotated[str, matching(_DNS_NAME, 253, "a DNS name: lower-case labels joined by '.'")]
OptionalDnsName = Annotated[
    str, matching(rf"({_DNS_NAME})?", 253, "a DNS name (lower-case labels joined by '.'), or empty")
]
LabelKey = Annotated[str, matching(_LABEL_KEY, 317, "the key of a label, such as k8s-app")]
OptionalLabelKey = Annotated[
    str, matching(rf"({_LABEL_KEY})?", 317, "the key of a label, such as topology.kubernetes.io/zone, or empty")
]
LabelValue = Annotated[
    str, matching(r"([A-Za-z0-9]([\w.-]*[A-Za-z0-9])?)?", 63, "the value of a label, such as kube-dns")
]
TopicName = Annotated[
    str, matching(_DNS_NAME, 249, "lower-case letters, digits, '-' and '.' (a KafkaTopic has the topic's name)")
]
GroupName = Annotated[str, matching(r"[A-Za-z0-9._-]+", 249, "letters, digits, '.', '_' and '-'")]
Path = Annotated[str, matching(r"/[A-Za-z0-9/_.~-]*", 2000, "an exact path that starts with '/'")]
Image = Annotated[
    str,
    matching(
        r"[a-z0-9][a-z0-9._:/-]*(:[\w][\w.-]{0,127}|@sha256:[0-9a-f]{64})",
        500,
        "an image reference with a tag or a digest, such as registry/name:1.0.0",
    ),
]
Duration = Annotated[str, matching(r"([0-9]+(h|m|s))+", 20, "a duration such as 10m, 90s or 1h30m")]
Quantity = Annotated[str, matching(r"[0-9]+(\.[0-9]+)?(m|[kMGTPE]i?)?", 20, "a Kubernetes quantity such as 10Gi")]
EnvName = Annotated[
    str, matching(r"[A-Z_][A-Z0-9_]*", 200, "capital letters, digits and '_' (an environment variable)")
]
KafkaVersion = Annotated[str, matching(r"[0-9]+\.[0-9]+\.[0-9]+", 20, "a version such as 4.3.1")]
Cidr = Annotated[str, AfterValidator(_network)]
Port = Annotated[int, within(1, 65535)]
Percentage = Annotated[int, within(0, 100)]
Replicas = Annotated[int, within(1, 1000)]
Count = Annotated[int, within(1, 100_000)]
Seconds = Annotated[int, within(1, 86_400)]
Factor = Annotated[int, within(0, 32_767)]
Positive = Annotated[int, within(1, 2**62)]
