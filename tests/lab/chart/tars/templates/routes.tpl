{{/*
Copyright: (c) 2026, T.A.R.S. rollout contributors
GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
SPDX-License-Identifier: GPL-3.0-or-later
*/}}
{{- $namespace := .Release.Namespace }}
{{- range $name, $service := .Values.services }}
{{- if and $service.enabled $service.routed }}
{{- $context := dict "name" $name "root" $ }}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: {{ $name }}
  labels:
    {{- include "tars.labels" $context | nindent 4 }}
spec:
  hosts:
    - {{ include "tars.host" $context }}
  gateways:
    - {{ $.Values.routing.gateway }}
  http:
    - name: canary-header
      match:
        - headers:
            x-canary:
              exact: "true"
      retries:
        attempts: {{ $.Values.routing.retries }}
      route:
        - destination:
            host: {{ $name }}-canary.{{ $namespace }}.svc.cluster.local
            port:
              number: 80
    - name: primary
      retries:
        attempts: {{ $.Values.routing.retries }}
      route:
        - destination:
            host: {{ $name }}.{{ $namespace }}.svc.cluster.local
            port:
              number: 80
          weight: 100
        - destination:
            host: {{ $name }}-canary.{{ $namespace }}.svc.cluster.local
            port:
              number: 80
          weight: 0
{{- if $service.httpRoute }}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: {{ $name }}
  labels:
    {{- include "tars.labels" $context | nindent 4 }}
spec:
  parentRefs:
    - name: {{ $.Values.routing.gatewayApi.name }}
      namespace: {{ $.Values.routing.gatewayApi.namespace }}
  hostnames:
    - {{ include "tars.host" $context }}
  rules:
    - name: canary-header
      matches:
        - headers:
            - name: x-canary
              value: "true"
      backendRefs:
        - name: {{ $name }}-canary
          port: 80
    - name: primary
      backendRefs:
        - name: {{ $name }}
          port: 80
          weight: 100
        - name: {{ $name }}-canary
          port: 80
          weight: 0
{{- end }}
{{- end }}
{{- end }}
