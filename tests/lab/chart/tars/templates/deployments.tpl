{{/*
Copyright: (c) 2026, T.A.R.S. rollout contributors
GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
SPDX-License-Identifier: GPL-3.0-or-later
*/}}
{{- range $name, $service := .Values.services }}
{{- if $service.enabled }}
{{- $context := dict "name" $name "service" $service "root" $ }}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ $name }}
  labels:
    {{- include "tars.labels" $context | nindent 4 }}
spec:
  replicas: {{ include "tars.replicas" $context }}
  revisionHistoryLimit: 5
  progressDeadlineSeconds: 120
  selector:
    matchLabels:
      {{- include "tars.selector" $context | nindent 6 }}
  strategy:
    rollingUpdate:
      maxUnavailable: 0
      maxSurge: {{ $.Values.maxSurge }}
  template:
    metadata:
      labels:
        {{- include "tars.selector" $context | nindent 8 }}
      annotations:
        prometheus.io/scrape: "true"
        prometheus.io/port: "8080"
        prometheus.io/path: /metrics
        # A changed configuration rolls the pods.
        checksum/config: {{ toJson (list $.Values.region $.Values.redis $.Values.drain $.Values.features) | sha256sum | trunc 16 }}
    spec:
      serviceAccountName: tars-app
      automountServiceAccountToken: false
      # Dozens of links to other Services in each environment are of no use to anybody.
      enableServiceLinks: false
      terminationGracePeriodSeconds: {{ $.Values.terminationGracePeriodSeconds }}
      securityContext:
        runAsNonRoot: true
        runAsUser: 10001
        runAsGroup: 10001
        seccompProfile:
          type: RuntimeDefault
      containers:
        - name: {{ $name }}
          image: {{ include "tars.image" $context }}
          imagePullPolicy: {{ $.Values.image.pullPolicy }}
          ports:
            - name: http
              containerPort: 8080
          envFrom:
            - configMapRef:
                name: tars-config
          env:
            - name: TARS_SERVICE
              value: {{ $name }}
            - name: POD_NAME
              valueFrom:
                fieldRef:
                  fieldPath: metadata.name
            - name: TARS_DATABASE_DSN
              valueFrom:
                secretKeyRef:
                  name: {{ $.Values.database.secretName }}
                  key: {{ $.Values.database.secretKey }}
            {{- with $service.faults }}
            - name: TARS_FAULTS
              value: {{ toJson . | quote }}
            {{- end }}
            {{- range $key, $value := $service.env }}
            - name: {{ $key }}
              value: {{ $value | quote }}
            {{- end }}
          # Quick looks until the process serves, rare ones after that: a lab has many pods and few cores.
          startupProbe:
            httpGet:
              path: /readyz
              port: http
            periodSeconds: 1
            timeoutSeconds: 2
            failureThreshold: 90
          readinessProbe:
            httpGet:
              path: /readyz
              port: http
            periodSeconds: 5
            # Pods that start beside it may keep a probe waiting for a processor.
            timeoutSeconds: 5
            failureThreshold: 3
          livenessProbe:
            httpGet:
              path: /healthz
              port: http
            periodSeconds: 20
            timeoutSeconds: 5
            failureThreshold: 3
          {{- with $.Values.drain.preStopSeconds }}
          lifecycle:
            preStop:
              sleep:
                seconds: {{ . }}
          {{- end }}
          resources:
            {{- toYaml ($service.resources | default $.Values.resources) | nindent 12 }}
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities:
              drop: [ALL]
{{- end }}
{{- end }}
