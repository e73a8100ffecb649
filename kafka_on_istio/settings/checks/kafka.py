"""Checks of the Kafka cluster and its users."""

from collections.abc import Iterator
from typing import Final

from kafka_on_istio.settings.checks.duplicates import duplicates
from kafka_on_istio.settings.kafka import KafkaData, Role, StorageType
from kafka_on_istio.settings.settings import Settings


def _data(settings: Settings) -> Iterator[str]:
    if settings.kafka_data is not KafkaData.PROTECTED:
        return
    for index, pool in enumerate(settings.kafka_node_pools):
        path = f"kafkaNodePools[{index}].storage"
        if pool.storage.type is StorageType.EPHEMERAL:
            yield f"{path}.type = 'ephemeral': must be persistent-claim with kafkaData protected"
        if pool.storage.delete_claim:
            yield f"{path}.deleteClaim = true: must be false with kafkaData protected"


def _node_pools(settings: Settings) -> Iterator[str]:
    pools = settings.kafka_node_pools
    yield from duplicates("kafkaNodePools", "name", [pool.name for pool in pools])
    for role in Role:
        if not any(role in pool.roles for pool in pools):
            yield f"kafkaNodePools: no pool has the role {role.value!r}; a cluster needs controllers and brokers"


def _storage(settings: Settings) -> Iterator[str]:
    for index, pool in enumerate(settings.kafka_node_pools):
        storage, path = pool.storage, f"kafkaNodePools[{index}].storage"
        if storage.type is StorageType.PERSISTENT and storage.size is None:
            yield f"{path}.size is missing; type persistent-claim needs one, such as 10Gi"
        if storage.type is StorageType.EPHEMERAL:
            for name, value in storage.model_dump(by_alias=True, exclude={"type"}, exclude_none=True).items():
                yield f"{path}.{name} = {value!r}: applies to type persistent-claim only; remove it"


def _replication(settings: Settings) -> Iterator[str]:
    if settings.replication_factor > settings.brokers > 0:
        yield (
            f"replicationFactor = {settings.replication_factor}: "
            f"must not exceed the number of brokers, {settings.brokers} (0 follows it)"
        )


def _rotations(settings: Settings) -> Iterator[str]:
    users = sorted(service.user for service in settings.services if service.user)
    for name, number in settings.user_password_rotation.items():
        if name not in users:
            yield f"userPasswordRotation.{name} = {number}: no such Kafka user; the users are {', '.join(users)}"


CHECKS: Final = (_data, _node_pools, _storage, _replication, _rotations)
