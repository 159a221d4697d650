{{/* What a Job does with an exit code. */}}

{{/* Those of which trying again can't help (src/core/errors.ts). */}}
{{- define "lockstep.finalExitCodes" -}}
[20, 21, 22, 23, 24, 25, 40, 41, 42]
{{- end }}

{{/* (dict … of lockstep.podTemplate, and backoffLimit) */}}
{{- define "lockstep.jobSpec" -}}
backoffLimit: {{ .backoffLimit }}
activeDeadlineSeconds: {{ .root.Values.job.activeDeadlineSeconds }}
ttlSecondsAfterFinished: {{ .root.Values.job.ttlSecondsAfterFinished }}
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
        values: {{ include "lockstep.finalExitCodes" . }}
template:
  {{- include "lockstep.podTemplate" . | nindent 2 }}
{{- end }}
