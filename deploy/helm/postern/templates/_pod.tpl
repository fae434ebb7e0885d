{{- define "postern.probe" -}}
httpGet:
  path: {{ .path }}
  port: http
  {{- if include "postern.isHttpTls" .root }}
  scheme: HTTPS
  {{- end }}
{{- end }}

{{- define "postern.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- define "postern.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- /* Variable → entry of values.secrets; POSTERN_STORE only where the store is not this pod's own file. */}}
{{- define "postern.secretFiles" -}}
{{- $names := dict "adminKey" "POSTERN_ADMIN_KEY" "peppers" "POSTERN_PEPPERS" "checksumKeys" "POSTERN_CHECKSUM_KEYS" "webhookSecret" "POSTERN_WEBHOOK_SECRET" "consoleSession" "POSTERN_CONSOLE_SESSION_SECRET" "oidcClient" "POSTERN_OIDC_CLIENT_SECRET" -}}
{{- if eq .Values.store "mongodb" }}{{ $_ := set $names "store" "POSTERN_STORE" }}{{ end -}}
{{- $files := dict -}}
{{- range $entry, $variable := $names }}
{{- with index $.Values.secrets $entry }}{{ $_ := set $files $variable (dict "file" $entry "secret" .) }}{{ end }}
{{- end -}}
{{ toYaml $files }}
{{- end }}

{{- define "postern.container" -}}
name: postern
image: {{ include "postern.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
args: [serve]
env:
  - name: POSTERN_CONFIG
    value: /etc/postern/config/postern.yaml
  - name: POSTERN_REPLICA_ID
    valueFrom: { fieldRef: { fieldPath: metadata.name } }
  {{- range $variable, $entry := include "postern.secretFiles" . | fromYaml }}
  - name: {{ $variable }}_FILE
    value: /etc/postern/secrets/{{ $entry.file }}
  {{- end }}
  - name: NODE_OPTIONS
    value: --max-old-space-size-percentage={{ .Values.heapPercent }}
  {{- with .Values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
ports:
  {{- if not .Values.socket.enabled }}
  - { name: check, containerPort: 50051 }
  {{- end }}
  - { name: admin, containerPort: 50052 }
  - { name: http, containerPort: 8080 }
{{- /* /healthz says that the process runs, whatever the store does. */}}
startupProbe:
  {{- include "postern.probe" (dict "root" . "path" "/healthz") | nindent 2 }}
  periodSeconds: 1
  failureThreshold: 60
livenessProbe:
  {{- include "postern.probe" (dict "root" . "path" "/healthz") | nindent 2 }}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
readinessProbe:
  {{- include "postern.probe" (dict "root" . "path" "/readyz") | nindent 2 }}
  periodSeconds: 5
  timeoutSeconds: 2
  failureThreshold: 2
lifecycle:
  preStop: { sleep: { seconds: {{ .Values.shutdown.preStopSeconds }} } }
resources:
  {{- toYaml .Values.resources | nindent 2 }}
securityContext:
  {{- include "postern.containerSecurity" . | nindent 2 }}
volumeMounts:
  - { name: config, mountPath: /etc/postern/config, readOnly: true }
  {{- if include "postern.secretFiles" . | fromYaml }}
  - { name: secrets, mountPath: /etc/postern/secrets, readOnly: true }
  {{- end }}
  {{- if include "postern.isTls" . }}
  - { name: tls, mountPath: /etc/postern/tls, readOnly: true }
  {{- end }}
  {{- if .Values.socket.enabled }}
  - { name: socket, mountPath: /run/postern }
  {{- end }}
  {{- if eq .Values.store "sqlite" }}
  - { name: data, mountPath: /data }
  {{- end }}
{{- end }}

{{- define "postern.volumes" -}}
- name: config
  configMap: { name: {{ include "postern.fullname" . }} }
{{- with include "postern.secretFiles" . | fromYaml }}
- name: secrets
  projected:
    defaultMode: 288 # 0440
    sources:
      {{- range . }}
      - secret:
          name: {{ .secret.name }}
          items: [{ key: {{ .secret.key }}, path: {{ .file }} }]
      {{- end }}
{{- end }}
{{- if include "postern.isTls" . }}
- name: tls
  secret: { secretName: {{ include "postern.tlsSecretName" . }}, defaultMode: 288 } # 0440
{{- end }}
{{- if .Values.socket.enabled }}
# All containers that mount it may connect: the socket in it is open to every user.
- name: socket
  emptyDir: { medium: Memory, sizeLimit: 1Mi }
{{- end }}
{{- if eq .Values.store "sqlite" }}
- name: data
  persistentVolumeClaim: { claimName: {{ include "postern.claimName" . }} }
{{- end }}
{{- with .Values.socket.volumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "postern.podTemplate" -}}
metadata:
  labels:
    {{- include "postern.labels" . | nindent 4 }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    # A changed setting is a new pod, which starts before an old one ends.
    checksum/config: {{ include "postern.settings" . | sha256sum }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "postern.serviceAccountName" . }}
  automountServiceAccountToken: false
  # No POSTERN_… variables of Services.
  enableServiceLinks: false
  {{- with .Values.shutdown }}
  terminationGracePeriodSeconds: {{ add .preStopSeconds .drainSeconds .closeSeconds }}
  {{- end }}
  securityContext:
    {{- include "postern.podSecurity" . | nindent 4 }}
  {{- with .Values.image.pullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . }}
    {{- end }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- if .Values.socket.enabled }}
  initContainers:
    # restartPolicy makes it a sidecar: ready before the containers start, ended after they have.
    - {{ include "postern.container" . | nindent 6 | trim }}
      restartPolicy: Always
  containers:
    {{- toYaml .Values.socket.containers | nindent 4 }}
  {{- else }}
  containers:
    - {{ include "postern.container" . | nindent 6 | trim }}
  {{- end }}
  volumes:
    {{- include "postern.volumes" . | trim | nindent 4 }}
  {{- with include "postern.placement" . | trim }}
  {{- . | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "postern.placement" -}}
{{- $keys := dict "zone" "topology.kubernetes.io/zone" "node" "kubernetes.io/hostname" -}}
{{- $asked := pick .Values.topologySpread "zone" "node" -}}
{{- if and (eq .Values.store "mongodb") (or $asked.zone $asked.node) }}
topologySpreadConstraints:
  {{- range $name, $key := $keys }}
  {{- with index $asked $name }}
  - topologyKey: {{ $key }}
    maxSkew: 1
    whenUnsatisfiable: {{ . }}
    matchLabelKeys: [pod-template-hash]
    labelSelector:
      matchLabels:
        {{- include "postern.selectorLabels" $ | nindent 8 }}
  {{- end }}
  {{- end }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
