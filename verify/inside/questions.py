"""Questions to a broker, one request each; none changes anything, whether it is allowed or not.

Sent into the pod as source, so it imports nothing of this project. The requests are those of Kafka's protocol, as
no client lets one ask for what its own checks would keep back.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import Any, Self

from kafka.errors import (
    ClusterAuthorizationFailedError,
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    GroupAuthorizationFailedError,
    IllegalSaslStateError,
    InvalidPartitionsError,
    InvalidProducerIdMappingError,
    NoError,
    NotCoordinatorError,
    NotLeaderForPartitionError,
    SaslAuthenticationFailedError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailedError,
    TransactionalIdNotFoundError,
    UnknownMemberIdError,
    UnknownTopicOrPartitionError,
    UnsupportedSaslMechanismError,
    for_code,
)
from kafka.net.sasl.scram import ScramClient
from kafka.protocol.admin import (
    CreatePartitionsRequest,
    CreateTopicsRequest,
    DeleteRecordsRequest,
    DescribeAclsRequest,
    DescribeConfigsRequest,
    DescribeGroupsRequest,
    DescribeTransactionsRequest,
    IncrementalAlterConfigsRequest,
    UpdateFeaturesRequest,
)
from kafka.protocol.api_message import ApiMessage
from kafka.protocol.consumer import FetchRequest, HeartbeatRequest, OffsetDeleteRequest
from kafka.protocol.metadata import CoordinatorType, FindCoordinatorRequest, MetadataRequest
from kafka.protocol.parser import KafkaProtocol
from kafka.protocol.producer import EndTxnRequest, InitProducerIdRequest, ProduceRequest
from kafka.protocol.sasl import SaslAuthenticateRequest, SaslHandshakeRequest

REFUSED = {
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailedError,
}
ALLOWED = {
    NoError,
    # Said to those who got past the authorizer: what they ask for is not there, or there already, or not loaded yet.
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    InvalidPartitionsError,
    InvalidProducerIdMappingError,
    TopicAlreadyExistsError,
    TransactionalIdNotFoundError,
    UnknownMemberIdError,
    UnknownTopicOrPartitionError,
}
ELSEWHERE = {NotCoordinatorError, NotLeaderForPartitionError}
"""Said by a broker to those who got past its authorizer, but whose resource is another broker's."""

NOT_LOGGED_IN = {IllegalSaslStateError, SaslAuthenticationFailedError, UnsupportedSaslMechanismError}

NO_PARTITION = 100_000
"""A partition that no topic has: the broker looks for it only for those who may do the thing to the topic."""

MOVING_SECONDS = 20
"""How long a resource may be on its way from one broker to another."""

BROKER, TOPIC, GROUP = 4, 2, 32
"""Types of resources that have settings (ConfigResource.Type)."""


class Connection:
    """A connection to a broker, with one request at a time."""

    def __init__(self, bootstrap: str) -> None:
        host, _, port = bootstrap.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=20)
        self._protocol = KafkaProtocol(client_id="questions")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def ask(self, request: ApiMessage) -> Any:
        """Return the response.

        :raises ConnectionError: if the broker closes the connection instead.
        """
        self._protocol.send_request(request)
        self._socket.sendall(self._protocol.send_bytes())
        while data := self._socket.recv(65536):
            for _, response in self._protocol.receive_bytes(data):
                return response
        raise ConnectionError("closed by the broker")

    def log_in(self, user: str, mechanism: str, password: str) -> bool:
        """Tell whether the broker lets a user in."""
        if not self._passed(self.ask(SaslHandshakeRequest[1](mechanism=mechanism))):
            return False
        if mechanism == "PLAIN":
            return self._passed(self._token(f"\0{user}\0{password}".encode()))
        client = ScramClient(user, password, mechanism)
        first = self._token(client.first_message())
        if not self._passed(first):
            return False
        client.process_server_first_message(first.auth_bytes)
        return self._passed(self._token(client.final_message()))

    def _token(self, token: bytes) -> Any:
        return self.ask(SaslAuthenticateRequest[2](auth_bytes=token))

    def _passed(self, response: Any) -> bool:
        error = for_code(response.error_code)
        if error is not NoError and error not in NOT_LOGGED_IN:
            raise RuntimeError(f"log in: {error.__name__}")
        return error is NoError


Ask = Callable[[ApiMessage], Any]


def topic_read(ask: Ask, name: str) -> int:
    return _fetch(ask, name, 0, -1)


def topic_write(ask: Ask, name: str) -> int:
    partition = ProduceRequest.TopicProduceData.PartitionProduceData(index=NO_PARTITION, records=b"")
    data = ProduceRequest.TopicProduceData(name=name, partition_data=[partition])
    request = ProduceRequest[12](transactional_id=None, acks=-1, timeout_ms=1000, topic_data=[data])
    return int(ask(request).responses[0].partition_responses[0].error_code)


def topic_create(ask: Ask, name: str) -> int:
    topic = CreateTopicsRequest.CreatableTopic(
        name=name, num_partitions=1, replication_factor=1, assignments=[], configs=[]
    )
    return int(ask(CreateTopicsRequest[7](topics=[topic], validate_only=True)).topics[0].error_code)


def topic_delete(ask: Ask, name: str) -> int:
    """Ask for records to be deleted, which needs what the deletion of the topic needs."""
    partition = DeleteRecordsRequest.DeleteRecordsTopic.DeleteRecordsPartition(partition_index=NO_PARTITION, offset=0)
    topic = DeleteRecordsRequest.DeleteRecordsTopic(name=name, partitions=[partition])
    response = ask(DeleteRecordsRequest[2](topics=[topic], timeout_ms=1000))
    return int(response.topics[0].partitions[0].error_code)


def topic_alter(ask: Ask, name: str) -> int:
    topic = CreatePartitionsRequest.CreatePartitionsTopic(name=name, count=1, assignments=None)
    response = ask(CreatePartitionsRequest[3](topics=[topic], timeout_ms=1000, validate_only=True))
    return int(response.results[0].error_code)


def topic_describe(ask: Ask, name: str) -> int:
    topic = MetadataRequest.MetadataRequestTopic(name=name)
    return int(ask(MetadataRequest[9](topics=[topic], allow_auto_topic_creation=False)).topics[0].error_code)


def topic_describe_configs(ask: Ask, name: str) -> int:
    return _describe_configs(ask, TOPIC, name)


def topic_alter_configs(ask: Ask, name: str) -> int:
    return _alter_configs(ask, TOPIC, name, "retention.ms")


def group_read(ask: Ask, name: str) -> int:
    """Ask to stay in a group of which one is no member."""
    return int(ask(HeartbeatRequest[4](group_id=name, generation_id=0, member_id="nobody")).error_code)


def group_describe(ask: Ask, name: str) -> int:
    return int(ask(DescribeGroupsRequest[5](groups=[name])).groups[0].error_code)


def group_delete(ask: Ask, name: str) -> int:
    """Ask for no offsets to be deleted, which needs what the deletion of the group needs."""
    return int(ask(OffsetDeleteRequest[0](group_id=name, topics=[])).error_code)


def group_describe_configs(ask: Ask, name: str) -> int:
    return _describe_configs(ask, GROUP, name)


def group_alter_configs(ask: Ask, name: str) -> int:
    return _alter_configs(ask, GROUP, name, "consumer.session.timeout.ms")


def transactional_id_describe(ask: Ask, name: str) -> int:
    return int(ask(DescribeTransactionsRequest[0](transactional_ids=[name])).transaction_states[0].error_code)


def transactional_id_write(ask: Ask, name: str) -> int:
    """Ask to abort a transaction of a producer that there is not; to begin one would end the service's own."""
    request = EndTxnRequest[4](transactional_id=name, producer_id=2**62, producer_epoch=0, committed=False)
    return int(ask(request).error_code)


def cluster_create(ask: Ask, name: str) -> int:
    return topic_create(ask, f"topic-of-{name}")


def cluster_alter(ask: Ask, name: str) -> int:
    return int(ask(UpdateFeaturesRequest[2](feature_updates=[], validate_only=True)).error_code)


def cluster_describe(ask: Ask, name: str) -> int:
    any_of_them = 1
    request = DescribeAclsRequest[3](
        resource_type_filter=any_of_them,
        resource_name_filter=None,
        pattern_type_filter=any_of_them,
        principal_filter=None,
        host_filter=None,
        operation=any_of_them,
        permission_type=any_of_them,
    )
    return int(ask(request).error_code)


def cluster_cluster_action(ask: Ask, name: str) -> int:
    """Fetch as a broker would, to whom no ACL of a topic applies."""
    return _fetch(ask, f"topic-of-{name}", NO_PARTITION, 1_000_000)


def cluster_describe_configs(ask: Ask, name: str) -> int:
    return _describe_configs(ask, BROKER, "")


def cluster_alter_configs(ask: Ask, name: str) -> int:
    return _alter_configs(ask, BROKER, "", "log.retention.ms")


def cluster_idempotent_write(ask: Ask, name: str) -> int:
    return int(ask(InitProducerIdRequest[4](transactional_id=None, transaction_timeout_ms=1000)).error_code)


def _fetch(ask: Ask, name: str, partition: int, replica: int) -> int:
    topic = FetchRequest.FetchTopic
    wanted = topic.FetchPartition(partition=partition, fetch_offset=0, partition_max_bytes=1)
    response = ask(
        FetchRequest[11](
            replica_id=replica,
            max_wait_ms=0,
            min_bytes=0,
            max_bytes=1,
            topics=[topic(topic=name, partitions=[wanted])],
            forgotten_topics_data=[],
        )
    )
    return int(response.responses[0].partitions[0].error_code)


def _describe_configs(ask: Ask, kind: int, name: str) -> int:
    resource = DescribeConfigsRequest.DescribeConfigsResource(
        resource_type=kind, resource_name=name, configuration_keys=[]
    )
    return int(ask(DescribeConfigsRequest[4](resources=[resource])).results[0].error_code)


def _alter_configs(ask: Ask, kind: int, name: str, setting: str) -> int:
    wanted = IncrementalAlterConfigsRequest.AlterConfigsResource
    change = wanted.AlterableConfig(name=setting, config_operation=0, value="60000")
    resource = wanted(resource_type=kind, resource_name=name, configs=[change])
    response = ask(IncrementalAlterConfigsRequest[1](resources=[resource], validate_only=True))
    return int(response.responses[0].error_code)


QUESTIONS = {
    ("topic", "Read"): topic_read,
    ("topic", "Write"): topic_write,
    ("topic", "Create"): topic_create,
    ("topic", "Delete"): topic_delete,
    ("topic", "Alter"): topic_alter,
    ("topic", "Describe"): topic_describe,
    ("topic", "DescribeConfigs"): topic_describe_configs,
    ("topic", "AlterConfigs"): topic_alter_configs,
    ("group", "Read"): group_read,
    ("group", "Describe"): group_describe,
    ("group", "Delete"): group_delete,
    ("group", "DescribeConfigs"): group_describe_configs,
    ("group", "AlterConfigs"): group_alter_configs,
    ("transactionalId", "Describe"): transactional_id_describe,
    ("transactionalId", "Write"): transactional_id_write,
    ("cluster", "Create"): cluster_create,
    ("cluster", "Alter"): cluster_alter,
    ("cluster", "Describe"): cluster_describe,
    ("cluster", "ClusterAction"): cluster_cluster_action,
    ("cluster", "DescribeConfigs"): cluster_describe_configs,
    ("cluster", "AlterConfigs"): cluster_alter_configs,
    ("cluster", "IdempotentWrite"): cluster_idempotent_write,
}


class Brokers:
    """A user's connections to brokers, by their addresses; each is made when it is first needed."""

    def __init__(self, bootstrap: str, user: str, password: str) -> None:
        self._bootstrap = bootstrap
        self._login = (user, "SCRAM-SHA-512", password)
        self._connections: dict[str, Connection] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def any(self) -> Connection:
        """Return the connection to the broker that the bootstrap address leads to."""
        return self._at(self._bootstrap)

    def of(self, resource: str, name: str) -> Connection:
        """Return the connection to the broker that has a resource: a topic's leader, or a coordinator.

        :raises LookupError: if there is none at the moment.
        """
        if resource == "topic":
            return self._at(self._leader(name))
        kind = CoordinatorType.GROUP if resource == "group" else CoordinatorType.TRANSACTION
        request = FindCoordinatorRequest[4](key_type=kind.value, coordinator_keys=[name])
        found = self.any().ask(request).coordinators[0]
        if for_code(found.error_code) is not NoError:
            raise LookupError(name)
        return self._at(f"{found.host}:{found.port}")

    def _leader(self, topic: str) -> str:
        wanted = MetadataRequest.MetadataRequestTopic(name=topic)
        found = self.any().ask(MetadataRequest[9](topics=[wanted], allow_auto_topic_creation=False))
        leaders = {part.leader_id for part in found.topics[0].partitions if part.partition_index == 0}
        for broker in found.brokers:
            if broker.node_id in leaders:
                return f"{broker.host}:{broker.port}"
        raise LookupError(topic)

    def _at(self, address: str) -> Connection:
        if address not in self._connections:
            connection = self._stack.enter_context(Connection(address))
            if not connection.log_in(*self._login):
                raise RuntimeError(f"{self._login[0]} cannot log in at {address}")
            self._connections[address] = connection
        return self._connections[address]


def answers(bootstrap: str, user: str, password: str, questions: list[list[str]]) -> list[bool]:
    """Tell for each question (resource, name, operation) whether the authorizer allows a user.

    :raises RuntimeError: if a broker's answer is neither a yes nor a no.
    """
    with Brokers(bootstrap, user, password) as brokers:
        return [_answer(brokers, user, question) for question in questions]


def _answer(brokers: Brokers, user: str, question: list[str]) -> bool:
    resource, name, operation = question
    ask = QUESTIONS[resource, operation]
    error = for_code(ask(brokers.any().ask, name))
    deadline = time.monotonic() + MOVING_SECONDS
    while error in ELSEWHERE and time.monotonic() < deadline:
        with suppress(LookupError):
            error = for_code(ask(brokers.of(resource, name).ask, name))
        if error in ELSEWHERE:
            time.sleep(0.2)
    if error not in ALLOWED | REFUSED:
        raise RuntimeError(f"{user} {resource} {name} {operation}: {error.__name__}")
    return error in ALLOWED


def entries(bootstrap: str, passwords: dict[str, str], attempts: list[list[str]]) -> list[bool]:
    """Tell for each attempt (user, mechanism, whose password) whether it succeeds.

    One without a mechanism does not log in, and asks all the same.
    """

    def entry(attempt: list[str]) -> bool:
        user, mechanism, whose = attempt
        with Connection(bootstrap) as connection:
            if mechanism:
                return connection.log_in(user, mechanism, passwords.get(whose, whose))
            try:
                connection.ask(MetadataRequest[9](topics=[], allow_auto_topic_creation=False))
            except ConnectionError:
                return False
            return True

    # A broker takes its time to refuse.
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(entry, attempts))
