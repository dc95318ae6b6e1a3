{{/*
Copyright: (c) 2026, T.A.R.S. rollout contributors
GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
SPDX-License-Identifier: GPL-3.0-or-later
*/}}
{{- range $name, $service := .Values.services }}
{{- if $service.enabled }}
{{- range $track := ternary (list $name (printf "%s-canary" $name)) (list $name) $service.routed }}
{{- /* The canary's Service selects nothing until a canary exists: its pods carry its name. */}}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ $track }}
  labels:
    {{- include "tars.labels" (dict "name" $name "root" $) | nindent 4 }}
spec:
  selector:
    {{- include "tars.selector" (dict "name" $track "root" $) | nindent 4 }}
  ports:
    - name: http
      port: 80
      targetPort: http
{{- end }}
{{- end }}
{{- end }}
