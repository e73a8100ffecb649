"""Converts the rules to policies of Pulumi's SDK and serves them to the CLI."""

from __future__ import annotations

from collections.abc import Sequence

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyPack,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)

from guardrails.registered import Resource
from guardrails.rule import ResourceRule, Rule, StackRule


def serve(name: str, rules: Sequence[Rule]) -> None:
    """Serve the engine that started this process until it is interrupted.

    Prints the port to stdout. A violation stops an update, unless the configuration that the CLI gives
    (``--policy-pack-config``) sets the rule to ``advisory`` or ``disabled``.
    """
    policies = [_of_resource(rule) if isinstance(rule, ResourceRule) else _of_stack(rule) for rule in rules]
    PolicyPack(name, policies, enforcement_level=EnforcementLevel.MANDATORY)


def _of_resource(rule: ResourceRule) -> Policy:
    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        for message in rule.check(Resource(args.resource_type, args.urn, args.props)):
            report(f"{message}. {rule.fix}")

    return ResourceValidationPolicy(rule.name, rule.reason, validate, remediation_steps=rule.fix)


def _of_stack(rule: StackRule) -> Policy:
    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        resources = [Resource(item.resource_type, item.urn, item.props) for item in args.resources]
        for violation in rule.check(resources):
            report(f"{violation.message}. {rule.fix}", violation.urn)

    level = EnforcementLevel.DISABLED if rule.production else None
    return StackValidationPolicy(rule.name, rule.reason, validate, enforcement_level=level, remediation_steps=rule.fix)
