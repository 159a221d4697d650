{{/*
For a chart of yours that has this one as a dependency. The argument is the scope of this chart: `.Subcharts.lockstep`,
or by its alias.
*/}}

{{/* ONE item of a pod's `initContainers`. What it needs first, such as a database proxy, goes before it. */}}
{{- define "lockstep.initContainer" -}}
{{- include "lockstep.validate" . }}
{{- $init := .Values.initContainer }}
{{- $name := $init.name | default (include "lockstep.local" .) }}
{{- $release := ternary (include "lockstep.jobRelease" .) (include "lockstep.podRelease" .) $init.trackRevision }}
{{- $secret := include "lockstep.nameWith" (list . "") -}}
- name: {{ $name }}
  args: [{{ include "lockstep.initCommand" . }}]
  {{- include "lockstep.containerBody" (dict "root" . "container" $name "release" $release "secret" $secret "init" true "events" .Values.events.enabled "extra" $init.extraEnv "resources" ($init.resources | default .Values.resources)) | nindent 2 }}
{{- end }}

{{- define "lockstep.initCommand" -}}
{{- .Values.initContainer.command | default (ternary "up" "wait" (eq .Values.mode "none")) }}
{{- end }}

{{/* The items of the pod's `volumes` that the init container mounts: the token, and the files where they are mounted. */}}
{{- define "lockstep.volumes" -}}
{{- include "lockstep.podVolumes" (dict "root" . "events" .Values.events.enabled) }}
{{- end }}

{{/*
One item of `volumes`: a token that only the container has that mounts it. With it the pod can say
`automountServiceAccountToken: false`, and the application gets none.
*/}}
{{- define "lockstep.tokenVolume" -}}
- name: {{ include "lockstep.local" . }}-token
  projected:
    defaultMode: 292 # 0444
    sources:
      - serviceAccountToken:
          path: token
          expirationSeconds: 3600
      - configMap:
          name: kube-root-ca.crt
          items:
            - key: ca.crt
              path: ca.crt
      - downwardAPI:
          items:
            - path: namespace
              fieldRef:
                fieldPath: metadata.namespace
{{- end }}

{{/*
A whole RoleBinding: lets the service account of your pods create Events. Nothing where Events are off.
(dict "lockstep" .Subcharts.lockstep "serviceAccountName" NAME)
*/}}
{{- define "lockstep.eventsRoleBinding" -}}
{{- $root := .lockstep }}
{{- if $root.Values.events.enabled -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ include "lockstep.nameWith" (list $root "") }}-{{ .serviceAccountName }}
  labels:
    {{- include "lockstep.labels" $root | nindent 4 }}
{{ include "lockstep.bindingBody" (list $root (include "lockstep.nameWith" (list $root "")) .serviceAccountName) }}
{{- end }}
{{- end }}
