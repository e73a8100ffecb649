"""The guard rails: ``pulumi up --policy-pack policy_pack``.

In production with ``--policy-pack-config policy_pack/production.json``.
"""

from __future__ import annotations

from guardrails import access, exposure, kafka, literals, mesh, workloads
from guardrails.rule import Rule

RULES: tuple[Rule, ...] = (
    # Nobody without an identity.
    mesh.strict,
    mesh.permissive_ports,
    # Nothing open that is not declared.
    access.default_deny,
    access.authorization_narrow,
    access.gateway_in_place,
    access.network_narrow,
    access.acl_narrow,
    access.declared,
    exposure.one_way_in,
    # Kafka knows its clients, and keeps what they write.
    kafka.authenticated,
    kafka.authorized,
    kafka.durable,
    # No secret in clear.
    literals.no_literal_secret,
    literals.no_leaked_password,
    # Workloads that are what was reviewed, and can do little else.
    workloads.image_pinned,
    workloads.own_service_account,
    workloads.limits,
    workloads.probes,
    workloads.restricted,
)

if __name__ == "__main__":
    from guardrails.serving import serve

    serve("kafka-on-istio", RULES)
