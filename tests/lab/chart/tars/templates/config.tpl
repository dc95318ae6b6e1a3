{{/*
Copyright: (c) 2026, T.A.R.S. rollout contributors
GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
SPDX-License-Identifier: GPL-3.0-or-later
*/}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: tars-app
  labels:
    {{- include "tars.labels" (dict "name" "tars" "root" $) | nindent 4 }}
automountServiceAccountToken: false
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: tars-config
  labels:
    {{- include "tars.labels" (dict "name" "tars" "root" $) | nindent 4 }}
data:
  TARS_REGION: {{ .Values.region | quote }}
  TARS_REDIS_SENTINELS: {{ .Values.redis.sentinels | quote }}
  TARS_REDIS_MASTER: {{ .Values.redis.master | quote }}
  TARS_REDIS_DB: {{ .Values.redis.db | quote }}
  TARS_REDIS_PREFIX: {{ .Values.redis.prefix | quote }}
  TARS_DRAIN_SECONDS: {{ .Values.drain.seconds | quote }}
  TARS_DRAIN_LIMIT_SECONDS: {{ .Values.drain.limitSeconds | quote }}
  {{- range $flag, $value := .Values.features }}
  FEATURE_{{ $flag | upper | replace "-" "_" }}: {{ $value | quote }}
  {{- end }}
