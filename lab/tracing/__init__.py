"""A receiver of traces, the stand-in for Jaeger."""

OTLP_PORT = 4317
QUERY_PORT = 16686
