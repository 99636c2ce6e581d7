{{- define "ppocr.name" -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | replace "ppocr-triton-ppocr-triton" "ppocr-triton" | trunc 53 | trimSuffix "-" -}}
{{- end -}}

{{- define "ppocr.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "ppocr.labels" -}}
{{ include "ppocr.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}

{{- define "ppocr.repository" -}}
{{- required "image.repository is empty, and no public registry holds this project's images: push yours and name it, as --set image.repository=registry.example/ppocr-triton (docs/fleet.md)" .Values.image.repository -}}
{{- end -}}

{{- define "ppocr.image" -}}
{{- $baked := eq .Values.models.from "image" | ternary "-baked" "" -}}
{{ include "ppocr.repository" . }}:{{ .Values.image.tag | default (print .Values.device $baked) }}
{{- end -}}

{{- /* Of every container: nothing that it does not need. */ -}}
{{- define "ppocr.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{- /* Keys and tokens: in no command line, which others could read. */ -}}
{{- define "ppocr.secret" -}}
{{- with .Values.secret -}}
envFrom: [{secretRef: {name: {{ . }}}}]
{{- end }}
{{- end -}}

{{- define "ppocr.ports" -}}
- {name: http, port: 8000, targetPort: http, appProtocol: http}
- {name: grpc, port: 8001, targetPort: grpc, appProtocol: grpc}
- {name: metrics, port: 8002, targetPort: metrics, appProtocol: http}
{{- if .Values.gateway.enabled }}
- {name: gateway, port: 8080, targetPort: gateway, appProtocol: http}
{{- end }}
{{- if .Values.oldEndpoint.enabled }}
- {name: old-http, port: {{ .Values.oldEndpoint.httpPort }}, targetPort: old-http, appProtocol: http}
- {name: old-rpc, port: {{ .Values.oldEndpoint.rpcPort }}, targetPort: old-rpc, appProtocol: grpc}
{{- end }}
{{- end -}}
