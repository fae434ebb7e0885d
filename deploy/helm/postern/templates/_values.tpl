{{- /*
  The chart's defaults for what the values lack: `helm upgrade --reuse-values` gives a new chart the values of the
  release before, without what the chart has gained since. Every template begins with it.
*/}}
{{- define "postern.values" -}}
{{- include "postern.fill" (dict "values" .Values "defaults" (.Files.Get "files/defaults.yaml" | fromYaml)) -}}
{{- end }}

{{- /* A `from` or `to` that is absent means everybody; a Secret, or a resource, that is absent is one left out. */}}
{{- define "postern.fill" -}}
{{- $values := .values -}}
{{- range $name, $default := .defaults -}}
{{- $isAbsent := or (not (hasKey $values $name)) (kindIs "invalid" (index $values $name)) -}}
{{- if and $isAbsent (not (has $name (list "from" "to"))) -}}
{{- $_ := set $values $name $default -}}
{{- else if and (not $isAbsent) (kindIs "map" $default) (not (has $name (list "secrets" "resources" "config"))) -}}
{{- include "postern.fill" (dict "values" (index $values $name) "defaults" $default) -}}
{{- end -}}
{{- end -}}
{{- end }}
