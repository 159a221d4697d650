{{/*
What the hook needs and is not there, as a JSON list: its pod would wait for it without a word until Helm gives up. Only
where Helm sees the cluster: not in `helm template`, and so not in Argo CD.
*/}}
{{- define "lockstep.inputProblems" -}}
{{- $problems := list }}
{{- if and (eq .Values.mode "hook") .Values.hook.checkInputs (not .Values.argocd.enabled) }}
{{- $database := .Values.database }}
{{- $inputs := list }}
{{- if .Values.fleet.targets }}
{{- range prepend .Values.fleet.moreSecretNames .Values.fleet.secretName }}
{{- $inputs = append $inputs (list "fleet" "Secret" . list) }}
{{- end }}
{{- else if $database.existingSecret }}
{{- $inputs = append $inputs (list "database" "Secret" $database.existingSecret (include "lockstep.secretKeys" . | fromJsonArray)) }}
{{- end }}
{{- with .Values.migrations.configMap }}
{{- $inputs = append $inputs (list "migrations" "ConfigMap" . list) }}
{{- end }}
{{- range $inputs }}
{{- $problems = concat $problems (include "lockstep.inputProblem" (prepend . $) | fromJsonArray) }}
{{- end }}
{{- if .Values.fleet.targets }}{{- $problems = concat $problems (include "lockstep.targetProblems" . | fromJsonArray) }}{{- end }}
{{- end }}
{{- $problems | toJson }}
{{- end }}

{{/* The targets whose address is in no Secret, where Helm sees all Secrets of the fleet. */}}
{{- define "lockstep.targetProblems" -}}
{{- $fleet := .Values.fleet }}
{{- $addresses := dict }}
{{- $unseen := list }}
{{- range prepend $fleet.moreSecretNames $fleet.secretName }}
{{- $found := lookup "v1" "Secret" $.Release.Namespace . }}
{{- if $found }}{{- $addresses = merge $addresses ($found.data | default dict) }}
{{- else }}{{- $unseen = append $unseen . }}
{{- end }}
{{- end }}
{{- $missing := list }}
{{- range $fleet.targets }}
{{- if not (or $unseen (has . $fleet.skip) (hasKey $addresses .)) }}{{- $missing = append $missing . }}{{- end }}
{{- end }}
{{- $problems := list }}
{{- if $missing }}{{- $problems = append $problems (printf "fleet.targets: no Secret of the fleet has the keys: %s" (join ", " $missing)) }}{{- end }}
{{- $problems | toJson }}
{{- end }}

{{/* (list root value kind name keys) */}}
{{- define "lockstep.inputProblem" -}}
{{- $problems := list }}
{{- $namespace := (index . 0).Release.Namespace }}
{{- $kind := index . 2 }}
{{- $name := index . 3 }}
{{- $found := lookup "v1" $kind $namespace $name }}
{{- if $found }}
{{- $keys := keys ($found.data | default dict) | sortAlpha }}
{{- range index . 4 }}
{{- if not (has . $keys) }}
{{- $problems = append $problems (printf "%s: the %s %s has no key %q; it has: %s" (index $ 1) $kind $name . (join ", " $keys)) }}
{{- end }}
{{- end }}
{{- /* A list has a kind, even where it is empty; nothing has one where there is no cluster. */}}
{{- else if (lookup "v1" $kind $namespace "").kind }}
{{- $problems = append $problems (printf "%s: there is no %s %s in the namespace %s, and the hook runs before this release makes one (hook.checkInputs: false where an earlier hook does)" (index . 1) $kind $name $namespace) }}
{{- end }}
{{- $problems | toJson }}
{{- end }}

{{/* The keys of database.existingSecret that are read, as a JSON list. */}}
{{- define "lockstep.secretKeys" -}}
{{- if include "lockstep.hasSecretKeys" . }}
{{- without (values .Values.database.secretKeys) "" | sortAlpha | toJson }}
{{- else }}
{{- list .Values.database.existingSecretKey | toJson }}
{{- end }}
{{- end }}
