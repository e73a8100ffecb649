"""The consumer: the service that reads the topics and logs the report. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from kafka_on_istio.access.model import AccessModel
from lab.errors import LabError


@dataclass(frozen=True)
class Consumer:
    """The consumer's Deployment and container."""

    namespace: str
    deployment: str
    container: str

    @classmethod
    def of(cls, model: AccessModel) -> Consumer:
        """Return the consumer of a stack.

        :raises LabError: if it has none.
        """
        for user in model.users:
            if any(acl.resource == "group" for acl in user.acls):
                namespace, _, deployment = user.workloads[0].rpartition("/")
                return cls(namespace, deployment, user.service)
        message = "no service of this stack reads topics, so there is no report"
        raise LabError(message)

    def logs(self, *, follow: bool) -> list[str]:
        """Return the kubectl arguments that print its log."""
        return ["-n", self.namespace, "logs", *(["--follow"] if follow else []), *self._place()]

    def exec(self, *words: str) -> list[str]:
        """Return the kubectl arguments that run a command in it, with standard input."""
        return ["-n", self.namespace, "exec", "-i", *self._place(), "--", *words]

    def _place(self) -> tuple[str, ...]:
        return f"deployment/{self.deployment}", "-c", self.container
