{{/* What a Job does with an exit code. */}}

{{/* Those of which trying again can't help (src/core/errors.ts). */}}
{{- define "lockstep.finalExitCodes" -}}
[20, 21, 22, 23, 24, 25, 40, 41, 42]
{{- end }}

{{/* Of these, the only one that says the same of every target of a fleet: the files. */}}
{{- define "lockstep.exitCodesOfAll" -}}
[21]
{{- end }}

{{/*
The Job of one database, or the Indexed Job of a fleet where `indexed` says so: there, the deadline of the Job would count
for all targets together, so each pod has its own.
(dict … of lockstep.podTemplate, and backoffLimit indexed)
*/}}
{{- define "lockstep.jobSpec" -}}
{{- $deadline := .root.Values.job.activeDeadlineSeconds }}
{{- if .indexed -}}
completionMode: Indexed
completions: {{ len .targets }}
parallelism: {{ min .root.Values.fleet.parallelism (len .targets) }}
backoffLimitPerIndex: {{ .backoffLimit }}
{{- if not (kindIs "invalid" .root.Values.fleet.maxFailedIndexes) }}
maxFailedIndexes: {{ min .root.Values.fleet.maxFailedIndexes (len .targets) }}
{{- end }}
{{- else -}}
backoffLimit: {{ .backoffLimit }}
activeDeadlineSeconds: {{ $deadline }}
{{- end }}
{{- with .root.Values.job.ttlSecondsAfterFinished }}
ttlSecondsAfterFinished: {{ . }}
{{- end }}
podReplacementPolicy: Failed
podFailurePolicy:
  rules:
    # First: who was evicted failed for no reason of its own, whatever the exit code.
    - action: Ignore
      onPodConditions:
        - type: DisruptionTarget
          status: "True"
    - action: FailJob
      onExitCodes:
        containerName: lockstep
        operator: In
        values: {{ include (ternary "lockstep.exitCodesOfAll" "lockstep.finalExitCodes" (default false .indexed)) . }}
    {{- if .indexed }}
    - action: FailIndex
      onExitCodes:
        containerName: lockstep
        operator: In
        values: {{ without (include "lockstep.finalExitCodes" . | fromJsonArray) 21.0 | toJson }}
    {{- end }}
template:
  {{- include "lockstep.podTemplate" (merge (dict "podDeadline" (ternary $deadline nil (default false .indexed))) .) | nindent 2 }}
{{- end }}

{{/* The Job that migrates: of one database, or of one part of a fleet. (dict root part targets offset) */}}
{{- define "lockstep.migrateJob" -}}
{{- $root := .root }}
{{- $isHook := eq $root.Values.mode "hook" }}
{{- $settings := dict }}
{{- if $isHook }}
{{- $_ := set $settings "LOCKSTEP_LOCK_WAIT" $root.Values.hook.lockWait }}
{{- end }}
{{- $job := dict "root" $root "component" "migrate" "release" (include "lockstep.jobRelease" $root) "args" (list "up") "job" true "events" $root.Values.events.enabled "settings" $settings "backoffLimit" $root.Values.job.backoffLimit "targets" .targets "indexed" (gt (len .targets) 0) }}
{{- $_ := set $job "secret" (include "lockstep.nameWith" (list $root (ternary "-hook" "" $isHook))) }}
{{- $_ := set $job "serviceAccountName" (include (ternary "lockstep.hookServiceAccountName" "lockstep.serviceAccountName" $isHook) $root) }}
{{- $spec := include "lockstep.jobSpec" $job }}
{{- $room := 63 }}
{{- if .targets }}{{- $room = include "lockstep.fleetNameRoom" .targets | int }}{{- end -}}
apiVersion: batch/v1
kind: Job
metadata:
  {{- if $isHook }}
  name: {{ include "lockstep.nameWith" (list $root (include "lockstep.hookJobSuffix" (list $root .part)) $room) }}
  {{- else }}
  name: {{ include "lockstep.nameWith" (list $root (printf "%s%s" .part (include "lockstep.jobSuffix" (list $root $spec))) $room) }}
  {{- end }}
  labels:
    {{- include "lockstep.labels" $root | nindent 4 }}
    app.kubernetes.io/component: migrate
  {{- $annotations := "" }}
  {{- if $isHook }}
  {{- $annotations = include "lockstep.hookAnnotations" (list $root .offset "pre-install,pre-upgrade") }}
  {{- if not $root.Values.argocd.enabled }}
  {{- $annotations = printf "%s\nhelm.sh/hook-output-log-policy: hook-failed,hook-succeeded" $annotations }}
  {{- end }}
  {{- else }}
  {{- $annotations = include "lockstep.jobNeedAnnotations" (list $root .offset) }}
  {{- end }}
  {{- with $root.Values.job.annotations }}
  {{- $annotations = printf "%s\n%s" $annotations (toYaml .) | trim }}
  {{- end }}
  {{- with include "lockstep.annotations" $annotations }}
  {{- . | nindent 2 }}
  {{- end }}
spec:
  {{- $spec | nindent 2 }}
{{- end }}

{{/* Of a CronJob that is only a template for Jobs. */}}
{{- define "lockstep.neverScheduled" -}}
suspend: true
# There is no 31st of February, should somebody resume it.
schedule: "0 0 31 2 *"
startingDeadlineSeconds: 10
concurrencyPolicy: Forbid
successfulJobsHistoryLimit: 3
failedJobsHistoryLimit: 3
{{- end }}
