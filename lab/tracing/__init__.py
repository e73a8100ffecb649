"""A receiver of traces, which stands where Jaeger would."""

OTLP_PORT = 4317
QUERY_PORT = 16686
