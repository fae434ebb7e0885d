{{- /* The settings file: those of the values, and what belongs to the pod. */}}
{{- define "postern.settings" -}}
{{- $settings := deepCopy .Values.config -}}
{{- $ports := dict "check" 50051 "admin" 50052 "http" 8080 -}}
{{- range $name, $port := $ports }}
{{- $listener := dict "listen" (printf "%s:%d" $.Values.listenHost (int $port)) -}}
{{- if and (eq $name "check") $.Values.socket.enabled }}
{{- $_ := set $listener "listen" "unix:/run/postern/check.sock" -}}
{{- else if and (include "postern.isTls" $) (has $name $.Values.tls.listeners) }}
{{- $tls := dict "cert" "/etc/postern/tls/tls.crt" "key" "/etc/postern/tls/tls.key" -}}
{{- if has $name $.Values.tls.clientCa }}{{ $_ := set $tls "client_ca" "/etc/postern/tls/ca.crt" }}{{ end -}}
{{- $_ := set $listener "tls" $tls -}}
{{- end }}
{{- $_ := set $settings $name (merge $listener (default dict (index $settings $name))) -}}
{{- end }}
{{- $_ := set $settings "drain_timeout" (printf "%ds" (int .Values.shutdown.drainSeconds)) -}}
{{- if eq .Values.store "sqlite" }}{{ $_ := set $settings "store" "sqlite:/data/postern.db" }}{{ end -}}
{{ toYaml $settings }}
{{- end }}

{{- /* What the schema of the values cannot say. */}}
{{- define "postern.refuse" -}}
{{- if eq .Values.store "sqlite" -}}
{{- if gt (int .Values.replicas) 1 }}{{ fail (printf "store: sqlite serves one process alone, and replicas is %d: set replicas to 1, or store to mongodb" (int .Values.replicas)) }}{{ end -}}
{{- if .Values.autoscaling.enabled }}{{ fail "store: sqlite serves one process alone: leave autoscaling off, or set store to mongodb" }}{{ end -}}
{{- if .Values.socket.enabled }}{{ fail "store: sqlite serves one process alone, and socket.enabled puts one into each pod: set store to mongodb" }}{{ end -}}
{{- else if not .Values.secrets.store }}{{ fail "store: mongodb needs secrets.store, the name and key of a Secret with its address" }}{{ end -}}
{{- if and .Values.socket.enabled (not .Values.socket.containers) }}{{ fail "socket.enabled needs socket.containers: the Envoy that calls Check" }}{{ end -}}
{{- if and .Values.socket.containers (not .Values.socket.enabled) }}{{ fail "socket.containers are of use only with socket.enabled" }}{{ end -}}
{{- if and .Values.tls.certManager.enabled (not .Values.tls.certManager.issuerRef.name) }}{{ fail "tls.certManager.enabled needs tls.certManager.issuerRef.name" }}{{ end -}}
{{- end }}
