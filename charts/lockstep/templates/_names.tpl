{{/* What things are called. */}}

{{- define "lockstep.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/*
Within a pod: of volumes, and of the init container. Helm calls a chart by the alias of the dependency, so that two of them
fit into one pod.
*/}}
{{- define "lockstep.local" -}}
{{- .Chart.Name | lower | replace "_" "-" | replace "." "-" | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- define "lockstep.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride | lower }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name }}
{{- end }}
{{- end }}

{{/*
The full name with a suffix, at most `max` (63) characters long. A name that had to be cut gets a hash of the whole,
because two long names may begin alike. (list root suffix max)
*/}}
{{- define "lockstep.nameWith" -}}
{{- $full := include "lockstep.fullname" (index . 0) }}
{{- $suffix := index . 1 }}
{{- $max := 63 }}
{{- if gt (len .) 2 }}{{- $max = index . 2 }}{{- end }}
{{- if le (add (len $full) (len $suffix)) $max }}
{{- printf "%s%s" $full $suffix }}
{{- else }}
{{- $room := sub $max (add (len $suffix) 7) | int }}
{{- printf "%s-%s%s" ($full | trunc $room | trimSuffix "-") (sha256sum $full | trunc 6) $suffix }}
{{- end }}
{{- end }}

{{- define "lockstep.chart" -}}
{{- printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "lockstep.selectorLabels" -}}
app.kubernetes.io/name: {{ include "lockstep.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "lockstep.labels" -}}
helm.sh/chart: {{ include "lockstep.chart" . }}
{{ include "lockstep.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* For everything but the hook: the rollback, the test, and the Job that is no hook. */}}
{{- define "lockstep.serviceAccountName" -}}
{{- if .Values.serviceAccount.name }}
{{- .Values.serviceAccount.name }}
{{- else if .Values.serviceAccount.create }}
{{- include "lockstep.nameWith" (list . "") }}
{{- else -}}
default
{{- end }}
{{- end }}

{{/* Of the hook alone: it is deleted and made again before each run, and with it the tokens of all who use it. */}}
{{- define "lockstep.hookServiceAccountName" -}}
{{- if not .Values.serviceAccount.create }}
{{- include "lockstep.serviceAccountName" . }}
{{- else if .Values.serviceAccount.name }}
{{- printf "%s-hook" .Values.serviceAccount.name }}
{{- else }}
{{- include "lockstep.nameWith" (list . "-hook") }}
{{- end }}
{{- end }}

{{- define "lockstep.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (include "lockstep.tag" .) }}
{{- end }}
{{- end }}

{{- define "lockstep.tag" -}}
{{- printf "%s%s" (.Values.image.tag | default .Chart.AppVersion) .Values.image.tagSuffix }}
{{- end }}

{{/* What tells one image from the next: by a digest, which may be of another image under the same tag. */}}
{{- define "lockstep.imageVersion" -}}
{{- if and .Values.image.tag .Values.image.digest }}
{{- printf "%s@%s" (include "lockstep.tag" .) .Values.image.digest }}
{{- else }}
{{- .Values.image.digest | default (include "lockstep.tag" .) }}
{{- end }}
{{- end }}

{{- define "lockstep.revision" -}}
{{- .Values.revision | default (include "lockstep.installRevision" .) }}
{{- end }}

{{/* Helm's revision; from the second install of that name on after the number of the install, because revisions begin at 1 again. */}}
{{- define "lockstep.installRevision" -}}
{{- $installs := include "lockstep.installs" . | int }}
{{- if gt $installs 1 }}{{ $installs }}-{{ end }}{{ .Release.Revision }}
{{- end }}

{{- define "lockstep.installsName" -}}
{{- include "lockstep.nameWith" (list . "-installs") }}
{{- end }}

{{/* How often this release was installed here. Helm sees no cluster in `helm template`, and so in Argo CD: 1. */}}
{{- define "lockstep.installs" -}}
{{- if or (eq .Values.mode "none") .Values.argocd.enabled -}}
1
{{- else }}
{{- /* Kept where every template finds it, because each look asks the API server. */}}
{{- if not (hasKey .Values "installs") }}
{{- $kept := dig "data" "installs" "0" (lookup "v1" "ConfigMap" .Release.Namespace (include "lockstep.installsName" .)) | int }}
{{- $_ := set .Values "installs" (max 1 (add $kept (ternary 1 0 .Release.IsInstall))) }}
{{- end }}
{{- .Values.installs }}
{{- end }}
{{- end }}

{{/*
Of the Job that is a hook: each revision has its own, so that no upgrade deletes the Job of an earlier one that is still
working. Argo CD has no revisions, and only one sync at a time. (list root part)
*/}}
{{- define "lockstep.hookJobSuffix" -}}
{{- $root := index . 0 -}}
-migrate{{ index . 1 }}{{ if not $root.Values.argocd.enabled }}-{{ include "lockstep.installRevision" $root }}{{ end }}
{{- end }}

{{/* A suffix for the name of a Job that can't be changed: another revision, or another pod, is another Job. (list root jobSpec) */}}
{{- define "lockstep.jobSuffix" -}}
{{- $revision := include "lockstep.revision" (index . 0) | lower | replace "." "-" | replace "_" "-" | replace "/" "-" | trunc 12 | trimAll "-" }}
{{- printf "-%s-%s" $revision (sha256sum (index . 1) | trunc 6) }}
{{- end }}

{{/* Of a Job: each revision is a release of its own. */}}
{{- define "lockstep.jobRelease" -}}
{{- printf "%s/%s@%s" .Release.Name (include "lockstep.revision" .) (include "lockstep.imageVersion" .) }}
{{- end }}

{{/* Of a pod template: an upgrade that changes nothing must restart no pod. */}}
{{- define "lockstep.podRelease" -}}
{{- printf "%s@%s" .Release.Name (include "lockstep.imageVersion" .) }}
{{- end }}
