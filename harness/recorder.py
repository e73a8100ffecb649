"""Records registrations of an offline preview: URNs, inherited options, and outputs."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from harness import kubernetes, values
from harness import urn as urns
from harness.errors import HarnessError
from harness.graph import Graph, Resource
from harness.values import UNKNOWN, Properties

_STACK_REFERENCE: Final = "pulumi:pulumi:StackReference"
_GET_RESOURCE: Final = "pulumi:pulumi:getResource"
_SHORTEST_SECRET: Final = 4
"""Characters from which on a secret is looked for in messages."""

Outputs = Mapping[str, Properties | Callable[[Resource], Properties]]
"""Outputs by type, or what returns them for a resource of that type."""
Functions = Mapping[str, Properties | Callable[[Properties], Properties]]
"""Results of functions by their token, or what returns them for some arguments."""


class Recorder:
    """Records registrations in their order."""

    def __init__(
        self,
        stack: str,
        project: str,
        *,
        references: Mapping[str, Properties] | None = None,
        outputs: Outputs | None = None,
        functions: Functions | None = None,
    ) -> None:
        """Begin with nothing.

        :param references: outputs of other stacks, by what a StackReference calls them.
        :param outputs: outputs that are not known from the inputs alone, by type.
        :param functions: results of functions, by token.
        """
        self._stack, self._project = stack, project
        self._references = references or {}
        self._outputs = outputs or {}
        self._functions = functions or {}
        self._resources: dict[str, Resource] = {}
        self._messages: list[tuple[str, str]] = []
        self._secrets: set[str] = set()

    @property
    def failed(self) -> bool:
        """Whether an error was reported; later registrations are not recorded."""
        return any(severity == "error" for severity, _ in self._messages)

    def messages(self) -> tuple[tuple[str, str], ...]:
        """Return the messages: (severity, text), without secrets."""
        return tuple((severity, self._scrubbed(text)) for severity, text in self._messages)

    def errors(self) -> list[str]:
        """Return the texts of the errors."""
        return [text for severity, text in self.messages() if severity == "error"]

    def graph(self) -> Graph:
        """Return the recorded graph."""
        resources = tuple(sorted(self._resources.values(), key=lambda item: item.urn))
        outputs = next((item.outputs for item in resources if item.type == urns.STACK_TYPE), {})
        return Graph(resources, outputs, self.messages())

    def fail(self, text: str) -> None:
        """Report an error, unless there is one: later ones follow from the first."""
        if not self.failed:
            self.say("error", text)

    def say(self, severity: str, text: str) -> None:
        """Keep a message."""
        self._messages.append((severity, text))

    def _scrubbed(self, text: str) -> str:
        for secret in sorted(self._secrets, key=len, reverse=True):
            for form in (secret, base64.b64encode(secret.encode()).decode()):
                text = text.replace(form, "[secret]")
        return text

    def go_on(self) -> None:
        """Check that the run has not failed.

        :raises HarnessError: if it has.
        """
        if self.failed:
            raise HarnessError("the run has failed")

    def urn(self, parent: str, type_token: str, name: str) -> str:
        """Return the URN of a resource to record.

        :raises HarnessError: if the URN already exists.
        """
        urn = urns.make(self._stack, self._project, parent, type_token, name)
        if urn in self._resources:
            raise HarnessError(f"duplicate resource URN {urn}: give one of the two resources another name")
        return urn

    def parent(self, urn: str) -> Resource:
        """Return the resource that a resource inherits from; none without a parent."""
        return self._resources.get(urn, Resource("", ""))

    def register(self, resource: Resource) -> Resource:
        """Record a resource, with its checked inputs and its outputs."""
        if resource.custom:
            inputs = resource.inputs
            if urns.package_of(resource.type) == "kubernetes" and not urns.is_provider(resource.type):
                inputs = kubernetes.checked(resource.urn, resource.type, resource.name, inputs)
            resource = replace(resource, inputs=inputs)
            resource = replace(resource, outputs=self._foreseen(resource))
        return self._put(resource)

    def read(self, resource: Resource) -> Resource:
        """Record an existing resource."""
        is_stack = resource.type == _STACK_REFERENCE
        outputs = self._referenced(resource.id) if is_stack else self._foreseen(resource)
        return self._put(replace(resource, outputs=outputs))

    def register_outputs(self, urn: str, outputs: Properties) -> None:
        """Take the outputs of a component down.

        :raises HarnessError: if the component does not exist.
        """
        if urn not in self._resources:
            raise HarnessError(f"outputs registered for {urn}, which is no resource of this run")
        self._put(replace(self._resources[urn], outputs=outputs))

    def invoke(self, token: str, arguments: Properties) -> Properties:
        """Return a function's result.

        :raises HarnessError: if the test supplies none.
        """
        known = self._resources.get(str(arguments.get("urn")))
        if token == _GET_RESOURCE and known:
            return {"urn": known.urn, "id": known.id or UNKNOWN, "state": known.outputs}
        if token not in self._functions:
            raise HarnessError(f"function {token}: supply its result with preview(functions={{{token!r}: ...}})")
        supplied = self._functions[token]
        return supplied(arguments) if callable(supplied) else supplied

    def _foreseen(self, resource: Resource) -> Properties:
        """Return a resource's outputs: its inputs, and those that the test supplies. Others are unknown."""
        supplied = self._outputs.get(resource.type, {})
        # An id is never secret, whatever the program asks for.
        secret = [key for key in resource.additional_secret_outputs if key != "id"]
        outputs: Properties = dict.fromkeys(secret, UNKNOWN)
        outputs |= {**resource.inputs, **(supplied(resource) if callable(supplied) else supplied)}
        return {key: values.secret(value) if key in secret else value for key, value in outputs.items()}

    def _put(self, resource: Resource) -> Resource:
        for part in (resource.inputs, resource.outputs):
            self._secrets.update(text for text in values.secret_texts(part) if len(text) >= _SHORTEST_SECRET)
        self._resources[resource.urn] = resource
        return resource

    def _referenced(self, name: str) -> Properties:
        if name not in self._references:
            return {"name": name, "outputs": UNKNOWN, "secretOutputNames": UNKNOWN}
        outputs = self._references[name]
        secret = [key for key, value in outputs.items() if values.has_secret(value)]
        return {"name": name, "outputs": outputs, "secretOutputNames": secret}
