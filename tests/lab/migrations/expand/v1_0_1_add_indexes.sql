-- Copyright: (c) 2026, T.A.R.S. rollout contributors
-- GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later
--
-- The indexes of both runbooks of 1.0.1, on the lab's tables.
CREATE INDEX CONCURRENTLY idx_missions_status_created ON missions (status, created_at DESC);
CREATE INDEX CONCURRENTLY idx_evaluations_mission_timestamp ON evaluations (mission_id, created_at);
CREATE INDEX CONCURRENTLY idx_traces_span_id ON traces (span_id);
CREATE INDEX CONCURRENTLY idx_evaluations_agent_region_time ON evaluations (agent_id, region, created_at DESC);
CREATE INDEX CONCURRENTLY idx_training_steps_composite ON training_steps (agent_id, episode, step);
CREATE INDEX CONCURRENTLY idx_api_keys_user_active ON api_keys (user_id) WHERE is_active;
