"""Settings, access model and mesh policies of Kafka on Istio; the components are published in the same package."""
