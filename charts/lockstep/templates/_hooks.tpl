{{/* When a hook runs. */}}

{{/*
The annotations of an object that belongs to the hook, for Helm or for Argo CD, never for both. `offset` is counted from
the Job's weight: Helm sorts hooks of one weight by name, so each has a weight of its own. (list root offset events)
*/}}
{{- define "lockstep.hookAnnotations" -}}
{{- $root := index . 0 }}
{{- $offset := index . 1 }}
{{- if $root.Values.argocd.enabled -}}
argocd.argoproj.io/hook: {{ $root.Values.argocd.hook }}
argocd.argoproj.io/hook-delete-policy: BeforeHookCreation
{{ include "lockstep.waveAnnotation" (list $root $offset) }}
{{- else -}}
helm.sh/hook: {{ index . 2 }}
helm.sh/hook-weight: {{ add $root.Values.hook.weight $offset | quote }}
helm.sh/hook-delete-policy: before-hook-creation
{{- end }}
{{- end }}

{{/* (list root offset) */}}
{{- define "lockstep.waveAnnotation" -}}
{{- $root := index . 0 -}}
argocd.argoproj.io/sync-wave: {{ add $root.Values.argocd.wave (index . 1) | quote }}
{{- end }}

{{/* The annotations of an ordinary object that the ordinary Job needs: under Argo CD it comes in an earlier wave. (list root offset) */}}
{{- define "lockstep.jobNeedAnnotations" -}}
{{- $root := index . 0 }}
{{- if and $root.Values.argocd.enabled (eq $root.Values.mode "job") }}
{{- include "lockstep.waveAnnotation" . }}
{{- end }}
{{- end }}

{{/* For what do the objects that belong to hooks come? Empty where there is no hook. */}}
{{- define "lockstep.hookEvents" -}}
{{- $events := list }}
{{- if eq .Values.mode "hook" }}
{{- $events = concat $events (list "pre-install" "pre-upgrade") }}
{{- end }}
{{- if .Values.rollback.auto }}
{{- $events = append $events "pre-rollback" }}
{{- end }}
{{- join "," $events }}
{{- end }}

{{- define "lockstep.annotations" -}}
{{- with . -}}
annotations:
  {{- . | nindent 2 }}
{{- end }}
{{- end }}
