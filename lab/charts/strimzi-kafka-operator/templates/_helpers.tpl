{{- define "strimzi.labels" -}}
app: strimzi
chart: strimzi-kafka-operator-{{ .root.Chart.Version }}
component: {{ .component }}
release: {{ .root.Release.Name }}
heritage: {{ .root.Release.Service }}
{{- end -}}
