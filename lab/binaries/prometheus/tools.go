//go:build tools

// Package prometheus pins the Prometheus that the lab builds where a stack has one.
package prometheus

import _ "github.com/prometheus/prometheus/cmd/prometheus"
