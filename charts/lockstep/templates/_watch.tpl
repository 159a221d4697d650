{{/* Where a run's metrics, spans and notices go. */}}

{{- define "lockstep.watchEnv" -}}
{{- with .Values.metrics.push.url }}
- name: LOCKSTEP_METRICS_PUSH
  value: {{ . | quote }}
{{- end }}
{{- with .Values.otel.endpoint }}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ . | quote }}
{{- end }}
{{- if .Values.notify.existingSecret }}
- name: LOCKSTEP_NOTIFY_FILE
  value: {{ printf "%s/%s" (include "lockstep.notifyDir" .) .Values.notify.existingSecretKey | quote }}
{{- end }}
{{- end }}

{{- define "lockstep.notifyDir" -}}
/etc/lockstep/notify
{{- end }}

{{/* One item of `volumes`. Optional: a notice that cannot be sent must not keep a pod from starting. */}}
{{- define "lockstep.notifyVolume" -}}
- name: {{ include "lockstep.local" . }}-notify
  secret:
    secretName: {{ .Values.notify.existingSecret }}
    optional: true
    defaultMode: 292 # 0444
{{- end }}
