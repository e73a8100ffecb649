"""What a container gets: its environment, its command, its user, its capabilities, its files and names."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lab.ids import Ids
from lab.node import bundle, environment, names, volumes
from lab.node.bundle import Mount, User
from lab.node.environment import MissingError
from lab.node.images import parts
from lab.node.volume_manager import VolumeManager
from lab.node.volumes import File, Owner

pytestmark = pytest.mark.unit

ADDRESSES = {"pod": "10.192.0.7", "node": "10.192.0.1", "service": "10.192.128.1"}
POD: dict[str, Any] = {
    "metadata": {
        "name": "customer-1",
        "namespace": "demo",
        "uid": "u-1",
        "labels": {"app": "customer", "version": "v1"},
        "annotations": {"note": 'say "hi"'},
    },
    "spec": {"serviceAccountName": "customer-v1", "nodeName": "lab", "containers": [{"name": "main"}]},
}
SECRETS = {("secret", "login"): {"password": "s3cret"}, ("configMap", "settings"): {"mode": "fast"}}


def variables(*env: dict[str, Any], **container: Any) -> dict[str, str]:
    spec = {"name": "main", "env": list(env), **container}
    return environment.environment(
        spec, POD, ADDRESSES, {"FROM_IMAGE": "1"}, lambda kind, name: SECRETS.get((kind, name))
    )


def test_a_variable_may_come_from_a_secret_a_config_map_the_pod_or_the_container() -> None:
    found = variables(
        {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "login", "key": "password"}}},
        {"name": "MODE", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "mode"}}},
        {"name": "ADDRESS", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "VERSION", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['version']"}}},
        {
            "name": "LIMIT",
            "valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}},
        },
        {"name": "URL", "value": "http://$(ADDRESS):80/$$(MODE)/$(UNKNOWN)"},
        resources={"limits": {"memory": "256Mi"}},
    )
    assert found["PASSWORD"] == "s3cret"
    assert found["MODE"] == "fast"
    assert found["VERSION"] == "v1"
    assert found["LIMIT"] == "256"
    assert found["URL"] == "http://10.192.0.7:80/$(MODE)/$(UNKNOWN)"
    assert found["KUBERNETES_SERVICE_HOST"] == "10.192.128.1"
    assert found["HOSTNAME"] == "customer-1"
    assert found["FROM_IMAGE"] == "1"


def test_what_a_variable_refers_to_is_named_when_it_is_not_there() -> None:
    with pytest.raises(MissingError, match='secret "nobody" not found'):
        variables({"name": "X", "valueFrom": {"secretKeyRef": {"name": "nobody", "key": "password"}}})
    with pytest.raises(MissingError, match='key "user" not found in secret "login"'):
        variables({"name": "X", "valueFrom": {"secretKeyRef": {"name": "login", "key": "user"}}})
    assert "X" not in variables(
        {"name": "X", "valueFrom": {"secretKeyRef": {"name": "nobody", "key": "p", "optional": True}}}
    )


def test_all_of_a_config_map_may_become_variables() -> None:
    assert variables(envFrom=[{"prefix": "APP_", "configMapRef": {"name": "settings"}}])["APP_mode"] == "fast"


def test_a_command_replaces_the_entry_point_and_args_follow_it() -> None:
    entry = ("python", "-m", "services")
    assert environment.command({"args": ["customer"]}, entry, {}) == [*entry, "customer"]
    assert environment.command({"command": ["sh"], "args": ["-c", "$(X)"]}, entry, {"X": "ls"}) == ["sh", "-c", "ls"]


def test_an_image_is_known_by_the_last_part_of_its_name() -> None:
    assert parts("registry:5000/a/services@sha256:ab") == ("services", "sha256:ab")
    assert parts("services") == ("services", "latest")


def test_a_container_that_must_not_be_root_is_refused_as_root() -> None:
    pod = {"spec": {"securityContext": {"runAsNonRoot": True, "fsGroup": 7}}}
    with pytest.raises(ValueError, match="runAsNonRoot"):
        bundle.user({"securityContext": {"runAsUser": 0}}, pod, 10001)
    assert bundle.user({}, pod, 10001) == User(10001, 10001, (7,))
    assert bundle.user({"securityContext": {"runAsUser": 5, "runAsGroup": 6}}, pod, 10001) == User(5, 6, (7,))


def configuration(context: dict[str, Any], user: int = 10001, *mounts: Mount) -> dict[str, Any]:
    return bundle.configuration(
        container={"name": "main", "securityContext": context},
        words=["true"],
        variables={"A": "1"},
        runs_as=User(user, user),
        mounts=mounts,
        root=Path("/root"),
        host="customer-1",
        network=Path("/run/netns/x"),
        users=Path("/run/userns/x"),
    )


def test_a_restricted_container_has_no_capabilities_and_gains_no_privileges() -> None:
    made = configuration(
        {"capabilities": {"drop": ["ALL"]}, "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True}
    )
    assert made["process"]["capabilities"] == {"bounding": [], "effective": [], "permitted": []}
    assert made["process"]["noNewPrivileges"] is True
    assert made["root"]["readonly"] is True


def test_root_has_what_it_is_given_and_others_do_not() -> None:
    added = {"capabilities": {"drop": ["ALL"], "add": ["NET_ADMIN"]}}
    assert configuration(added, 0)["process"]["capabilities"]["effective"] == ["CAP_NET_ADMIN"]
    assert configuration(added, 1337)["process"]["capabilities"]["effective"] == []


def test_an_inner_mount_comes_after_the_one_around_it() -> None:
    inner, outer = Mount(Path("/b"), "/etc/config/inner"), Mount(Path("/a"), "/etc/config", read_only=False)
    bound = [mount for mount in configuration({}, 1, inner, outer)["mounts"] if mount["type"] == "bind"]
    assert [mount["source"] for mount in bound] == ["/a", "/b"]
    assert [("ro" in mount["options"]) for mount in bound] == [False, True]


class Objects:
    """Secrets, ConfigMaps and tokens that a test names."""

    async def data(self, kind: str, name: str) -> Mapping[str, bytes] | None:
        found = SECRETS.get((kind, name))
        return None if found is None else {key: value.encode() for key, value in found.items()}

    async def token(self, audience: str, seconds: int) -> str:
        return f"token for {audience or 'the API server'} for {seconds}"


def files(volume: dict[str, Any]) -> dict[str, File]:
    return asyncio.run(volumes.files({"name": "v", **volume}, POD, ADDRESSES, Objects()))


def test_a_projected_volume_holds_the_files_of_all_its_sources() -> None:
    found = files(
        {
            "projected": {
                "defaultMode": 0o440,
                "sources": [
                    {"serviceAccountToken": {"path": "token", "audience": "istio-ca", "expirationSeconds": 43200}},
                    {"configMap": {"name": "settings", "items": [{"key": "mode", "path": "a/mode"}]}},
                    {"downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
                ],
            }
        }
    )
    assert found == {
        "token": File(b"token for istio-ca for 43200", 0o440),
        "a/mode": File(b"fast", 0o440),
        "labels": File(b'app="customer"\nversion="v1"', 0o440),
    }


def test_a_volume_that_the_node_does_not_have_is_named() -> None:
    with pytest.raises(MissingError, match='volume "v" is of kind nfs'):
        files({"nfs": {"server": "x"}})
    with pytest.raises(MissingError, match='secret "nobody" not found'):
        files({"secret": {"secretName": "nobody"}})
    assert files({"secret": {"secretName": "nobody", "optional": True}}) == {}


def test_the_files_of_a_volume_change_all_at_once_and_go_when_they_are_gone(tmp_path: Path) -> None:
    folder, me = tmp_path / "v", Owner(os.geteuid())
    volumes.write(folder, {"a": File(b"1"), "sub/b": File(b"2", 0o400)}, me)
    first = os.readlink(folder / "..data")
    assert (folder / "a").read_text() == "1"
    assert (folder / "sub" / "b").stat().st_mode & 0o777 == 0o400
    volumes.write(folder, {"a": File(b"1"), "sub/b": File(b"2", 0o400)}, me)
    assert os.readlink(folder / "..data") == first
    volumes.write(folder, {"c": File(b"3")}, me)
    assert {path.name for path in folder.iterdir() if not path.name.startswith("..")} == {"c"}
    assert not (folder / first).exists()


def test_a_volume_of_files_has_places_for_what_is_mounted_in_it(tmp_path: Path) -> None:
    ids = Ids(0)
    manager = VolumeManager(Any, tmp_path, tmp_path / "claims", ids)  # type: ignore[arg-type]
    spec = {"volumes": [{"name": "outer", "configMap": {"name": "a"}}, {"name": "inner", "emptyDir": {}}]}
    volumes.write(tmp_path / "outer", {"a": File(b"1")}, Owner(os.geteuid()))
    (tmp_path / "inner").mkdir()
    mounted = [{"name": "inner", "mountPath": "/etc/app/in/ner"}, {"name": "outer", "mountPath": "/etc/app"}]
    found = manager.mounts({**POD, "spec": spec}, {"volumeMounts": mounted})
    assert [mount.target for mount in found] == ["/etc/app/in/ner", "/etc/app"]
    assert (tmp_path / "outer" / "in" / "ner").is_dir()
    # They stay while the files change.
    volumes.write(tmp_path / "outer", {"b": File(b"2")}, Owner(os.geteuid()))
    assert {path.name for path in (tmp_path / "outer").iterdir() if path.name[:2] != ".."} == {"b", "in"}


def test_a_path_is_taken_in_volumes_that_containers_cannot_write(tmp_path: Path) -> None:
    manager = VolumeManager(Any, tmp_path, tmp_path / "claims", Ids(0))  # type: ignore[arg-type]
    spec = {"volumes": [{"name": "data", "emptyDir": {}}, {"name": "files", "configMap": {"name": "a"}}]}
    volumes.write(tmp_path / "files", {"a": File(b"1")}, Owner(os.geteuid()))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "out").symlink_to(tmp_path)

    def source(name: str, path: str) -> Path:
        mounted = [{"name": name, "mountPath": "/data", "subPath": path}]
        return manager.mounts({**POD, "spec": spec}, {"volumeMounts": mounted})[0].source

    assert source("files", "a").read_text() == "1"
    with pytest.raises(MissingError, match='subPath "b" of volume "files" is not there'):
        source("files", "b")
    with pytest.raises(
        MissingError, match='subPath "out" of volume "data": the lab supports subPath for volumes of kind'
    ):
        source("data", "out")


def test_names_are_those_of_kubernetes_dns() -> None:
    services = [
        {"metadata": {"name": "preference", "namespace": "demo"}, "spec": {"clusterIP": "10.192.128.9"}},
        {"metadata": {"name": "brokers", "namespace": "kafka"}, "spec": {"clusterIP": "None"}},
    ]
    slices = [
        {
            "metadata": {
                "name": "brokers-x",
                "namespace": "kafka",
                "labels": {"kubernetes.io/service-name": "brokers"},
            },
            "endpoints": [
                {"addresses": ["10.192.0.5"], "hostname": "broker-0", "conditions": {"ready": True}},
                {"addresses": ["10.192.0.6"], "hostname": "broker-1", "conditions": {"ready": False}},
            ],
        }
    ]
    text = names.hosts("demo", {"customer-1": "10.192.0.7"}, services, slices, {"time.example": "198.51.100.1"})
    lines = {line.split()[0]: line.split()[1:] for line in text.splitlines()}
    assert lines["10.192.128.9"] == [
        "preference.demo.svc.cluster.local", "preference.demo.svc", "preference.demo", "preference"
    ]  # fmt: skip
    assert "broker-0.brokers.kafka.svc.cluster.local" in lines["10.192.0.5"]
    assert "brokers.kafka.svc" in lines["10.192.0.5"]
    assert "10.192.0.6" not in lines
    assert lines["198.51.100.1"] == ["time.example"]
    assert "brokers" not in lines["10.192.0.5"]
