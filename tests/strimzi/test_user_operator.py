"""KafkaUsers on a real broker: who can log in, what they may do, what becomes of them."""

from __future__ import annotations

import base64
import logging
from typing import Any, cast

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from lab.kafka.broker import Broker
from lab.strimzi import user_admin
from lab.strimzi.admin import Admin
from lab.strimzi.environment import EntityOperatorSettings
from lab.strimzi.kubernetes import Kubernetes
from lab.strimzi.user_operator import EVERY, UserOperator
from lab.strimzi.users import Acl
from tests.strimzi import resources
from tests.strimzi.conftest import Memory, eventually
from tests.strimzi.resources import password_from

pytestmark = pytest.mark.lab


@pytest.fixture
def operator(memory: Memory, admin: Admin, settings: EntityOperatorSettings) -> UserOperator:
    return UserOperator(cast("Kubernetes", memory), admin, settings)


def see(memory: Memory, operator: UserOperator, name: str, **spec: Any) -> dict[str, Any]:
    memory.put(resources.user(name, **spec))
    operator.reconcile(name)
    return memory.status("KafkaUser", name)


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def own(memory: Memory, name: str) -> dict[str, str]:
    data = memory.objects["Secret", name]["data"]
    return {key: base64.b64decode(value).decode() for key, value in data.items()}


def can_log_in(broker: Broker, user: str, password: str) -> bool:
    try:
        AdminClient({**broker.client(user, password), "log_level": 0}).list_topics(timeout=3)
    except KafkaException:
        return False
    return True


def rule(resource: str, name: str | None, *operations: str, **rest: Any) -> dict[str, Any]:
    about = {"type": resource} | ({"name": name} if name else {})
    return {"type": "allow", "resource": about, "operations": list(operations), **rest}


def test_a_user_logs_in_with_the_password_of_the_secret_that_it_names(
    memory: Memory, operator: UserOperator, shared_broker: Broker
) -> None:
    memory.secret("source-1", {"password": encoded("first")})
    memory.secret("source-2", {"password": encoded("second")})
    status = see(memory, operator, "named", authentication=password_from("source-1"))
    assert (status["username"], status["secret"], status["Ready"]["status"]) == ("named", "named", "True")
    eventually(lambda: can_log_in(shared_broker, "named", "first"), expected=True)
    assert own(memory, "named") == {
        "password": "first",
        "sasl.jaas.config": "org.apache.kafka.common.security.scram.ScramLoginModule required"
        ' username="named" password="first";',
    }
    assert memory.objects["Secret", "named"]["metadata"]["labels"]["strimzi.io/kind"] == "KafkaUser"

    status = see(memory, operator, "named", authentication=password_from("source-2"))
    assert status["observedGeneration"] == 2
    eventually(lambda: can_log_in(shared_broker, "named", "second"), expected=True)
    eventually(lambda: can_log_in(shared_broker, "named", "first"), expected=False)

    memory.secret("source-2", {"password": encoded("third")})
    assert operator.reconcile("named") == 90.0
    eventually(lambda: can_log_in(shared_broker, "named", "third"), expected=True)
    assert own(memory, "named")["password"] == "third"


def test_a_password_is_generated_once_where_none_is_named(
    memory: Memory, operator: UserOperator, shared_broker: Broker
) -> None:
    see(memory, operator, "generated")
    password = own(memory, "generated")["password"]
    assert len(password) == 32
    assert password.isalnum()
    operator.reconcile("generated")
    assert own(memory, "generated")["password"] == password
    eventually(lambda: can_log_in(shared_broker, "generated", password), expected=True)
    del memory.objects["Secret", "generated"]
    operator.reconcile("generated")
    eventually(lambda: can_log_in(shared_broker, "generated", own(memory, "generated")["password"]), expected=True)
    eventually(lambda: can_log_in(shared_broker, "generated", password), expected=False)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "Secret missing-source with requested user password does not exist."),
        ({}, "Secret missing-source does not contain the key password with requested user password."),
        ({"password": ""}, "The requested user password is empty."),
        ({"password": encoded("pässword")}, "has other characters than ASCII"),
    ],
)
def test_a_password_that_is_not_there_is_not_ready_and_nobody_can_log_in(
    memory: Memory, operator: UserOperator, admin: Admin, data: dict[str, str] | None, message: str
) -> None:
    memory.objects.pop(("Secret", "missing-source"), None)
    if data is not None:
        memory.secret("missing-source", data)
    status = see(memory, operator, "lacking", authentication=password_from("missing-source"))
    assert status["NotReady"]["reason"] == "InvalidResourceException"
    assert message in status["NotReady"]["message"]
    assert "Ready" not in status
    assert "lacking" not in user_admin.scram_users(admin)


def test_the_users_own_secret_cannot_be_its_source(memory: Memory, operator: UserOperator) -> None:
    status = see(memory, operator, "snake", authentication=password_from("snake"))
    assert "the user operator writes itself" in status["NotReady"]["message"]


def test_acls_become_what_is_specified_and_those_of_others_stay(
    memory: Memory, operator: UserOperator, admin: Admin
) -> None:
    def acls(*rules: dict[str, Any]) -> dict[str, Any]:
        return {"type": "simple", "acls": list(rules)}

    see(memory, operator, "other", authorization=acls(rule("topic", "t", "Read")))
    rules = [
        rule("topic", "t", "Write", "Describe"),
        rule("cluster", None, "IdempotentWrite"),
        rule("transactionalId", "x", "Write", host="10.0.0.1"),
        {"type": "deny", "resource": {"type": "group", "name": "g", "patternType": "prefix"}, "operations": ["All"]},
    ]
    see(memory, operator, "mine", authorization=acls(*rules))
    wanted = {
        Acl("ALLOW", "TOPIC", "t", "LITERAL", "WRITE", "*"),
        Acl("ALLOW", "TOPIC", "t", "LITERAL", "DESCRIBE", "*"),
        Acl("ALLOW", "CLUSTER", "kafka-cluster", "LITERAL", "IDEMPOTENT_WRITE", "*"),
        Acl("ALLOW", "TRANSACTIONAL_ID", "x", "LITERAL", "WRITE", "10.0.0.1"),
        Acl("DENY", "GROUP", "g", "PREFIXED", "ALL", "*"),
    }
    eventually(lambda: user_admin.acls(admin, "mine").get("mine"), wanted)
    see(memory, operator, "mine", authorization=acls(rule("topic", "t", "Describe")))
    less = {Acl("ALLOW", "TOPIC", "t", "LITERAL", "DESCRIBE", "*")}
    eventually(lambda: user_admin.acls(admin, "mine").get("mine"), less)
    see(memory, operator, "mine")
    eventually(lambda: user_admin.acls(admin, "mine"), {})
    assert user_admin.acls(admin, "other")["other"] == {Acl("ALLOW", "TOPIC", "t", "LITERAL", "READ", "*")}


def test_quotas_become_what_is_specified(memory: Memory, operator: UserOperator, admin: Admin) -> None:
    see(memory, operator, "bounded", quotas={"producerByteRate": 1000, "controllerMutationRate": 1.5})
    first = {"producer_byte_rate": 1000.0, "controller_mutation_rate": 1.5}
    eventually(lambda: user_admin.quotas(admin).get("bounded"), first)
    see(memory, operator, "bounded", quotas={"producerByteRate": 2000, "requestPercentage": 50})
    second = {"producer_byte_rate": 2000.0, "request_percentage": 50.0}
    eventually(lambda: user_admin.quotas(admin).get("bounded"), second)
    see(memory, operator, "bounded")
    eventually(lambda: user_admin.quotas(admin).get("bounded"), None)


def test_deletion_leaves_nothing_of_a_user(
    memory: Memory, operator: UserOperator, admin: Admin, shared_broker: Broker
) -> None:
    authorization = {"type": "simple", "acls": [rule("topic", "t", "Read")]}
    see(memory, operator, "leaving", authorization=authorization, quotas={"producerByteRate": 1})
    password = own(memory, "leaving")["password"]
    del memory.objects["KafkaUser", "leaving"]
    assert operator.reconcile("leaving") is None
    eventually(lambda: "leaving" in user_admin.known(admin, acls_supported=True), expected=False)
    eventually(lambda: can_log_in(shared_broker, "leaving", password), expected=False)


def test_a_user_whose_resource_went_unseen_is_found_and_taken_away(
    broker: Broker, memory: Memory, settings: EntityOperatorSettings
) -> None:
    # A broker of its own, for every user without a resource goes.
    user = {"sasl_plain_username": broker.admin_user, "sasl_plain_password": broker.admin_password}
    admin = Admin(
        lambda: {
            "bootstrap_servers": f"127.0.0.1:{broker.ports.internal}",
            "security_protocol": "SASL_PLAINTEXT",
            "sasl_mechanism": "PLAIN",
            **user,
        }
    )
    operator = UserOperator(cast("Kubernetes", memory), admin, settings)
    see(memory, operator, "stays")
    see(memory, operator, "goes", quotas={"producerByteRate": 1})
    del memory.objects["KafkaUser", "goes"]
    assert operator.reconcile(EVERY) == 90.0
    eventually(lambda: user_admin.known(admin, acls_supported=True), {"stays"})
    admin.close()


def test_a_password_that_was_lost_in_kafka_is_set_again(
    memory: Memory, operator: UserOperator, admin: Admin, shared_broker: Broker
) -> None:
    see(memory, operator, "lost")
    user_admin.delete_password(admin, "lost")
    operator.reconcile("lost")
    eventually(lambda: can_log_in(shared_broker, "lost", own(memory, "lost")["password"]), expected=True)


@pytest.mark.parametrize(
    ("spec", "named"),
    [
        ({"authentication": {"type": "tls"}}, "spec.authentication.type"),
        ({"template": {"pod": {}}}, "spec.template.pod"),
        ({"authorization": {"type": "simple", "acls": [rule("topic", None, "Read")]}}, "needs resource.name"),
        ({"authorization": {"type": "simple", "acls": [rule("topic", "t", "Fly")]}}, "spec.authorization.acls"),
    ],
)
def test_what_the_lab_does_not_honour_is_refused_by_name(
    memory: Memory, operator: UserOperator, spec: dict[str, Any], named: str
) -> None:
    status = see(memory, operator, "odd", **spec)
    assert named in status["NotReady"]["message"]


def test_no_password_is_in_the_log(memory: Memory, operator: UserOperator, caplog: pytest.LogCaptureFixture) -> None:
    memory.secret("logged-source", {"password": encoded("sup3rsecret")})
    with caplog.at_level(logging.INFO):
        see(memory, operator, "logged", authentication=password_from("logged-source"))
        del memory.objects["KafkaUser", "logged"]
        operator.reconcile("logged")
    assert "logged" in caplog.text
    assert "sup3rsecret" not in caplog.text
