{{- define "postern.name" -}}
{{ default .Chart.Name .Values.nameOverride | trunc 57 | trimSuffix "-" }}
{{- end }}

{{- /* The release's name, and the chart's unless it is in it; room is left for "-check". */}}
{{- define "postern.fullname" -}}
{{- $name := include "postern.name" . -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride | trunc 57 | trimSuffix "-" }}
{{- else if contains $name .Release.Name -}}
{{ .Release.Name | trunc 57 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-%s" .Release.Name $name | trunc 57 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "postern.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{ default (include "postern.fullname" .) .Values.serviceAccount.name }}
{{- else -}}
{{ default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "postern.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ default $.Chart.AppVersion .tag }}{{ end }}
{{- end }}
{{- end }}

{{- /* What a pod of the service has, and no other. */}}
{{- define "postern.selectorLabels" -}}
app.kubernetes.io/name: {{ include "postern.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: server
{{- end }}

{{- define "postern.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{ include "postern.selectorLabels" . }}
{{- end }}

{{- define "postern.claimName" -}}
{{ default (printf "%s-data" (include "postern.fullname" .)) .Values.sqlite.existingClaim }}
{{- end }}

{{- define "postern.isTls" -}}
{{- if or .Values.tls.secretName .Values.tls.certManager.enabled }}true{{ end }}
{{- end }}

{{- define "postern.tlsSecretName" -}}
{{ default (printf "%s-tls" (include "postern.fullname" .)) .Values.tls.secretName }}
{{- end }}

{{- define "postern.isHttpTls" -}}
{{- if and (include "postern.isTls" .) (has "http" .Values.tls.listeners) }}true{{ end }}
{{- end }}
