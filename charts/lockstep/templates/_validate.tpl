{{/* What the schema can't say, all at once. */}}
{{- define "lockstep.validate" -}}
{{- $problems := list }}
{{- $database := .Values.database }}
{{- $sources := 0 }}
{{- range list .Values.migrations.image .Values.migrations.configMap .Values.migrations.volume }}
{{- if . }}{{- $sources = add1 $sources }}{{- end }}
{{- end }}
{{- if and $database.existingSecret $database.url }}
{{- $problems = append $problems "database: give existingSecret or url, not both" }}
{{- end }}
{{- if and (include "lockstep.hasSecretKeys" .) (not $database.existingSecret) }}
{{- $problems = append $problems "database.secretKeys: name the Secret in existingSecret" }}
{{- end }}
{{- if not (or $database.existingSecret $database.url .Values.fleet.targets .Values.extraEnv .Values.extraEnvFrom) }}
{{- $problems = append $problems "database: give existingSecret (a Secret with the address), or url; PGHOST and the like may come by extraEnv or extraEnvFrom" }}
{{- end }}
{{- if gt $sources 1 }}
{{- $problems = append $problems "migrations: give only one of image, configMap and volume" }}
{{- end }}
{{- if and .Values.argocd.enabled .Values.rollback.auto }}
{{- $problems = append $problems "rollback.auto: Argo CD has no hook before a rollback; start the rollback Job by hand" }}
{{- end }}
{{- $problems = concat $problems (include "lockstep.fleetProblems" . | fromJsonArray) (include "lockstep.inputProblems" . | fromJsonArray) }}
{{- if $problems }}
{{- fail (printf "\n  %s" (join "\n  " $problems)) }}
{{- end }}
{{- end }}
