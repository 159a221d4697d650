{{/* Many databases: an Indexed Job, in which each has an index. */}}

{{/*
The Jobs of the fleet, as a JSON list of {part, targets, offset}: the canary, if there is one, then the others. Argo CD's
canary is one wave before the Job's own, because the application comes in the wave behind that one.
*/}}
{{- define "lockstep.fleetJobs" -}}
{{- $fleet := .Values.fleet }}
{{- $canary := list }}
{{- $others := list }}
{{- range $fleet.targets }}
{{- if has . $fleet.skip }}
{{- else if has . $fleet.canary }}{{- $canary = append $canary . }}
{{- else }}{{- $others = append $others . }}
{{- end }}
{{- end }}
{{- $first := ternary -1 0 .Values.argocd.enabled }}
{{- $jobs := list }}
{{- if $canary }}{{- $jobs = append $jobs (dict "part" "-canary" "targets" $canary "offset" $first) }}{{- end }}
{{- if $others }}{{- $jobs = append $jobs (dict "part" "" "targets" $others "offset" (ternary (add1 $first) 0 (gt (len $canary) 0))) }}{{- end }}
{{- $jobs | toJson }}
{{- end }}

{{/* The targets that are not skipped, as a JSON list. */}}
{{- define "lockstep.fleetTargets" -}}
{{- $targets := .Values.fleet.targets }}
{{- range .Values.fleet.skip }}{{- $targets = without $targets . }}{{- end }}
{{- $targets | toJson }}
{{- end }}

{{/*
The longest name that the Job may have: the API server refuses an Indexed Job where name, "-" and the highest index are
longer than 63 characters together. (list of targets)
*/}}
{{- define "lockstep.fleetNameRoom" -}}
{{- sub 62 (len (printf "%d" (sub (len .) 1))) }}
{{- end }}

{{/* Where the addresses are mounted: a file per name. */}}
{{- define "lockstep.targetsDir" -}}
/etc/lockstep/targets
{{- end }}

{{/* `targets` are the names for this pod to choose from; all, where a person names one. (dict root targets) */}}
{{- define "lockstep.fleetEnv" -}}
- name: LOCKSTEP_TARGETS
  value: {{ .targets | default .root.Values.fleet.targets | join "," | quote }}
- name: LOCKSTEP_TARGETS_DIR
  value: {{ include "lockstep.targetsDir" . }}
{{ end }}

{{/* One item of `volumes`. */}}
{{- define "lockstep.targetsVolume" -}}
- name: {{ include "lockstep.local" . }}-targets
  projected:
    sources:
      {{- range prepend .Values.fleet.moreSecretNames .Values.fleet.secretName }}
      - secret:
          name: {{ . }}
      {{- end }}
{{- end }}

{{- define "lockstep.fleetProblems" -}}
{{- $fleet := .Values.fleet }}
{{- $problems := list }}
{{- if $fleet.targets }}
{{- range $field := list "canary" "skip" }}
{{- range index $fleet $field }}
{{- if not (has . $fleet.targets) }}{{- $problems = append $problems (printf "fleet.%s: %s is not in fleet.targets" $field .) }}{{- end }}
{{- end }}
{{- end }}
{{- if not (include "lockstep.fleetJobs" . | fromJsonArray) }}
{{- $problems = append $problems "fleet.skip: no target is left" }}
{{- end }}
{{- if gt (len (join "," $fleet.targets)) 131000 }}
{{- $problems = append $problems "fleet.targets: the names together are longer than a variable may be (128 KiB); use several releases" }}
{{- end }}
{{- if .Values.rollback.auto }}
{{- $problems = append $problems "rollback.auto: not for a fleet; start the rollback Job of one target by hand" }}
{{- end }}
{{- end }}
{{- $problems | toJson }}
{{- end }}
