{{/*
Copyright: (c) 2026, T.A.R.S. rollout contributors
GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
SPDX-License-Identifier: GPL-3.0-or-later
*/}}

{{/* Labels that a Deployment selects its pods by; they can never change. Context: dict with name and root. */}}
{{- define "tars.selector" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end }}

{{/* Labels of every object of a service. */}}
{{- define "tars.labels" -}}
{{ include "tars.selector" . }}
app.kubernetes.io/part-of: tars
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- end }}

{{/* Image of a service. Context: dict with service and root. */}}
{{- define "tars.image" -}}
{{- $image := mergeOverwrite (deepCopy .root.Values.image) (deepCopy (.service.image | default dict)) -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ $image.tag }}
{{- end -}}
{{- end }}

{{/* Host name that a service is reached by. */}}
{{- define "tars.host" -}}
{{ .name }}.{{ .root.Values.region }}.{{ .root.Values.hostSuffix }}
{{- end }}

{{/* Replicas: those that are alive where an autoscaler decides, so that an upgrade never scales. */}}
{{- define "tars.replicas" -}}
{{- $live := dict -}}
{{- if (.service.autoscaling | default dict).enabled -}}
{{- $live = lookup "apps/v1" "Deployment" .root.Release.Namespace .name -}}
{{- end -}}
{{- if $live -}}{{ $live.spec.replicas }}{{- else -}}{{ .service.replicas }}{{- end -}}
{{- end }}
