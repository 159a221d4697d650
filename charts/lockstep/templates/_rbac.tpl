{{/* The one thing that Lockstep may do in Kubernetes. */}}

{{- define "lockstep.roleRules" -}}
rules:
  - apiGroups: [events.k8s.io]
    resources: [events]
    verbs: [create]
{{- end }}

{{/* (list root roleName serviceAccountName) */}}
{{- define "lockstep.bindingBody" -}}
{{- $root := index . 0 -}}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {{ index . 1 }}
subjects:
  - kind: ServiceAccount
    name: {{ index . 2 }}
    namespace: {{ $root.Release.Namespace }}
{{- end }}
