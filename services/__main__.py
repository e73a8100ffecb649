"""``python -m services PROGRAM``: the entry point of the image."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from typing import Final

from services.errors import SettingsError, StartError

PROGRAMS: Final = {
    "customer": ("services.caller", "calls its upstreams and responds with their responses"),
    "preference": ("services.caller", "calls its upstreams and responds with their responses"),
    "recommendation": ("services.recommendation", "responds with its version, its host and a count"),
    "consumer": ("services.consumer", "reads the other services' calls and reports them"),
}

_ENVIRONMENT: Final = """\
environment, all programs:
  ANSWERS                      requests to serve: paths such as /customer or POST /orders, with commas (/)
  UPSTREAM_URL                 upstreams to call, in this order: URLs such as http://host:8080/ or
                               POST http://host:8080/orders, with commas (none)
  UPSTREAM_TIMEOUT_SECONDS     timeout of each call (5)
  SERVICE_NAME                 name in responses and records (default: the program)
  SERVICE_VERSION              version in responses and records (v1)
  HOSTNAME                     host in responses (unknown)
  LISTEN_ADDRESS, PORT         address (0.0.0.0, 8080), which also serves /health, /ready and /metrics
  STOP_DELAY_SECONDS           how long to serve after a stop signal (2)
  OTEL_SERVICE_NAME            name in traces (SERVICE_NAME)
  OTEL_EXPORTER_OTLP_ENDPOINT  where spans go, OTLP over gRPC, such as http://host:4317 (nowhere)
  KAFKA_BOOTSTRAP_SERVER, KAFKA_USER_NAME, KAFKA_PASSWORD
                               login by SCRAM-SHA-512; without KAFKA_* calls are not logged to Kafka
  KAFKA_TOPIC                  where calls are logged; where the consumer writes its report

recommendation:
  TIME_API_URL                 world clock whose time goes into the reply (none)
customer, preference, recommendation:
  KAFKA_BUFFER_RECORDS         how many records may wait while Kafka is away (100000)

consumer:
  KAFKA_TOPICS                 what to read, with commas
  KAFKA_WRITERS                whose calls may be in which: topic=service, with commas (anyone's)
  KAFKA_GROUP_ID, KAFKA_TRANSACTIONAL_ID
  WINDOW_SECONDS, WINDOW_GRACE_SECONDS, WINDOW_IDLE_SECONDS
  REPORT_FORMAT                text or json
"""


def main(arguments: list[str]) -> int:
    """Run a program and return its exit code.

    The code is 2 if the environment is invalid, with a line per fault, and 1 if the program cannot start.
    """
    parser = argparse.ArgumentParser(
        prog="services",
        description="The services of the demo application.",
        epilog=_ENVIRONMENT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    programs = parser.add_subparsers(dest="program", required=True, metavar="PROGRAM")
    for name, (_, what) in PROGRAMS.items():
        programs.add_parser(name, help=what)
    program = parser.parse_args(arguments).program
    module = importlib.import_module(PROGRAMS[program][0])
    try:
        return int(module.main(program, os.environ))
    except SettingsError as error:
        sys.stderr.writelines(f"error: {fault}\n" for fault in error.faults)
        return 2
    except StartError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
