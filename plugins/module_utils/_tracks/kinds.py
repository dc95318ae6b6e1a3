# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""The kinds of objects that matter to a second track, and where the API has them. Pure data."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.tars.rollout.plugins.module_utils._kube import Kind

KINDS: Mapping[str, Kind] = {
    "deployments": Kind("apps/v1", "deployments"),
    "statefulsets": Kind("apps/v1", "statefulsets"),
    "autoscalers": Kind("autoscaling/v2", "horizontalpodautoscalers"),
    "budgets": Kind("policy/v1", "poddisruptionbudgets"),
    "network_policies": Kind("networking.k8s.io/v1", "networkpolicies"),
    "peer_authentications": Kind("security.istio.io/v1", "peerauthentications"),
    "authorization_policies": Kind("security.istio.io/v1", "authorizationpolicies"),
    "service_monitors": Kind("monitoring.coreos.com/v1", "servicemonitors"),
    "pod_monitors": Kind("monitoring.coreos.com/v1", "podmonitors"),
    "destination_rules": Kind("networking.istio.io/v1", "destinationrules"),
    "virtual_services": Kind("networking.istio.io/v1", "virtualservices"),
    "http_routes": Kind("gateway.networking.k8s.io/v1", "httproutes"),
    "grpc_routes": Kind("gateway.networking.k8s.io/v1", "grpcroutes"),
    "services": Kind("v1", "services"),
    "pods": Kind("v1", "pods"),
    "quotas": Kind("v1", "resourcequotas"),
    "nodes": Kind("v1", "nodes", namespaced=False),
    "flagger_canaries": Kind("flagger.app/v1beta1", "canaries"),
    "argo_rollouts": Kind("argoproj.io/v1alpha1", "rollouts"),
}
"""By the key under which a ``World`` has them."""

ROUTES = ("virtual_services", "http_routes", "grpc_routes")
"""What gives a track its traffic."""

NAMES: Mapping[str, str] = {
    "deployments": "Deployment",
    "autoscalers": "HorizontalPodAutoscaler",
    "budgets": "PodDisruptionBudget",
    "network_policies": "NetworkPolicy",
    "peer_authentications": "PeerAuthentication",
    "authorization_policies": "AuthorizationPolicy",
    "service_monitors": "ServiceMonitor",
    "pod_monitors": "PodMonitor",
    "virtual_services": "VirtualService",
    "http_routes": "HTTPRoute",
    "grpc_routes": "GRPCRoute",
}
"""What a person calls one of them."""

BESIDE = (
    "budgets", "autoscalers", "network_policies", "peer_authentications", "authorization_policies", "service_monitors",
    "pod_monitors",
)  # fmt: skip
"""What a canary track may have beside its Deployment: made before its pods, taken away after them."""
