{{/* The variables that Lockstep reads. */}}

{{/*
A container's `env`. One that the user gives replaces ours: the same name twice is refused by server-side apply.
(dict root release container extra secret targets init job events settings)
*/}}
{{- define "lockstep.env" -}}
{{- $root := .root }}
{{- $extra := concat (.extra | default list) $root.Values.extraEnv }}
{{- $own := include "lockstep.ownEnv" . | fromYamlArray }}
{{- $given := dict }}
{{- range $extra }}
{{- $_ := set $given .name true }}
{{- end }}
{{- $env := list }}
{{- range $own }}
{{- if not (hasKey $given .name) }}
{{- $env = append $env . }}
{{- end }}
{{- end }}
{{- $seen := dict }}
{{- range $extra }}
{{- if not (hasKey $seen .name) }}
{{- $env = append $env . }}
{{- $_ := set $seen .name true }}
{{- end }}
{{- end }}
{{- tpl (toYaml $env) $root }}
{{- end }}

{{- define "lockstep.ownEnv" -}}
{{- with include "lockstep.databaseEnv" . }}
{{- . }}
{{- end }}
- name: LOCKSTEP_DIR
  value: {{ .root.Values.migrations.dir | quote }}
- name: LOCKSTEP_RELEASE
  value: {{ .release | quote }}
- name: LOCKSTEP_IMAGE
  value: {{ include "lockstep.image" .root | quote }}
- name: LOCKSTEP_POD
  valueFrom: { fieldRef: { fieldPath: metadata.name } }
- name: LOCKSTEP_POD_NAMESPACE
  valueFrom: { fieldRef: { fieldPath: metadata.namespace } }
- name: LOCKSTEP_POD_UID
  valueFrom: { fieldRef: { fieldPath: metadata.uid } }
- name: LOCKSTEP_CONTAINER
  value: {{ .container | quote }}
{{- if .init }}
- name: LOCKSTEP_INIT_CONTAINER
  value: "true"
{{- end }}
{{- if .job }}
- name: LOCKSTEP_JOB
  valueFrom: { fieldRef: { fieldPath: "metadata.labels['batch.kubernetes.io/job-name']" } }
- name: LOCKSTEP_JOB_UID
  valueFrom: { fieldRef: { fieldPath: "metadata.labels['batch.kubernetes.io/controller-uid']" } }
{{- end }}
- name: LOCKSTEP_EVENTS
  value: {{ ternary "auto" "off" .events | quote }}
{{- include "lockstep.watchEnv" .root }}
{{- range $name, $value := .settings }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}

{{/* Is the address in keys of their own? */}}
{{- define "lockstep.hasSecretKeys" -}}
{{- join "" (values .Values.database.secretKeys) }}
{{- end }}

{{/* `secret` is the name of the chart's own Secret, if there is one. */}}
{{- define "lockstep.databaseEnv" -}}
{{- $database := .root.Values.database }}
{{- if .root.Values.fleet.targets }}
{{- include "lockstep.fleetEnv" . }}
{{- else if include "lockstep.hasSecretKeys" .root }}
{{- range $variable, $part := dict "PGHOST" "host" "PGPORT" "port" "PGUSER" "user" "PGPASSWORD" "password" "PGDATABASE" "dbname" }}
{{- with index $database.secretKeys $part }}
- name: {{ $variable }}
  valueFrom:
    secretKeyRef:
      name: {{ $database.existingSecret }}
      key: {{ . }}
{{- end }}
{{- end }}
{{ else if or $database.existingSecret $database.url }}
- name: DATABASE_URL
  valueFrom:
    secretKeyRef:
      name: {{ $database.existingSecret | default .secret }}
      key: {{ ternary $database.existingSecretKey "url" (ne $database.existingSecret "") }}
{{ end }}
{{- end }}
