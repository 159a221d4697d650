{{/* The pod that all Jobs share. */}}

{{/*
A pod template's metadata and spec.
(dict root component release args secret targets serviceAccountName settings job events podDeadline)
*/}}
{{- define "lockstep.podTemplate" -}}
metadata:
  {{- with .root.Values.podAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  labels:
    {{- include "lockstep.labels" .root | nindent 4 }}
    app.kubernetes.io/component: {{ .component }}
    {{- with .root.Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  {{- include "lockstep.podSpec" . | nindent 2 }}
{{- end }}

{{- define "lockstep.podSpec" -}}
{{- $root := .root }}
{{- $values := .root.Values -}}
serviceAccountName: {{ .serviceAccountName }}
automountServiceAccountToken: false
enableServiceLinks: false
restartPolicy: Never
{{- with .podDeadline }}
activeDeadlineSeconds: {{ . }}
{{- end }}
terminationGracePeriodSeconds: {{ $values.terminationGracePeriodSeconds }}
{{- with $values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.podSecurityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.initContainers }}
initContainers:
  {{- tpl (toYaml .) $root | nindent 2 }}
{{- end }}
containers:
  - name: lockstep
    args: {{ .args | toJson }}
    {{- include "lockstep.containerBody" (merge (dict "container" "lockstep" "resources" $values.resources) .) | nindent 4 }}
  {{- with $values.extraContainers }}
  {{- tpl (toYaml .) $root | nindent 2 }}
  {{- end }}
{{- with include "lockstep.podVolumes" . }}
volumes:
  {{- . | nindent 2 }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}

{{/* All of a container but its name and arguments, the same for Jobs and init containers. */}}
{{- define "lockstep.containerBody" -}}
{{- $values := .root.Values -}}
image: {{ include "lockstep.image" .root | quote }}
imagePullPolicy: {{ $values.image.pullPolicy }}
env:
  {{- include "lockstep.env" . | nindent 2 }}
{{- with $values.extraEnvFrom }}
envFrom:
  {{- tpl (toYaml .) $.root | nindent 2 }}
{{- end }}
{{- with .resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.securityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
terminationMessagePolicy: FallbackToLogsOnError
{{- with include "lockstep.mounts" . }}
volumeMounts:
  {{- . | trim | nindent 2 }}
{{- end }}
{{- end }}

{{- define "lockstep.mounts" -}}
{{- if .events }}
- name: {{ include "lockstep.local" .root }}-token
  mountPath: /var/run/secrets/kubernetes.io/serviceaccount
  readOnly: true
{{- end }}
{{- if include "lockstep.migrationsVolume" .root }}
- name: {{ include "lockstep.local" .root }}-migrations
  mountPath: {{ .root.Values.migrations.dir | quote }}
  readOnly: true
{{- end }}
{{- if .root.Values.fleet.targets }}
- name: {{ include "lockstep.local" .root }}-targets
  mountPath: {{ include "lockstep.targetsDir" . }}
  readOnly: true
{{- end }}
{{- if .root.Values.notify.existingSecret }}
- name: {{ include "lockstep.local" .root }}-notify
  mountPath: {{ include "lockstep.notifyDir" .root }}
  readOnly: true
{{- end }}
{{- with .root.Values.volumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "lockstep.podVolumes" -}}
{{- $lists := list }}
{{- if .events }}
{{- $lists = append $lists (include "lockstep.tokenVolume" .root) }}
{{- end }}
{{- with include "lockstep.migrationsVolume" .root }}
{{- $lists = append $lists . }}
{{- end }}
{{- if .root.Values.fleet.targets }}
{{- $lists = append $lists (include "lockstep.targetsVolume" .root) }}
{{- end }}
{{- if .root.Values.notify.existingSecret }}
{{- $lists = append $lists (include "lockstep.notifyVolume" .root) }}
{{- end }}
{{- with .root.Values.volumes }}
{{- $lists = append $lists (toYaml .) }}
{{- end }}
{{- join "\n" $lists }}
{{- end }}

{{/* One item of `volumes`, or nothing where the files are in the image. */}}
{{- define "lockstep.migrationsVolume" -}}
{{- with .Values.migrations }}
{{- if or .configMap .volume .image -}}
- name: {{ include "lockstep.local" $ }}-migrations
{{- if .configMap }}
  configMap:
    name: {{ .configMap }}
{{- else if .image }}
  image:
    reference: {{ .image | quote }}
    pullPolicy: {{ $.Values.image.pullPolicy }}
{{- else }}
  {{- toYaml .volume | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
