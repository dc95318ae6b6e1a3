-- Copyright: (c) 2026, T.A.R.S. rollout contributors
-- GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later
--
-- A million rows more in the table that services read and write, so that its indexes take their time while they do. In the
-- transaction that made the tables, so nobody waits for it; the constraint comes back when its rows are there, which
-- takes half of the time and of the log.
ALTER TABLE evaluations DROP CONSTRAINT evaluations_evaluation_id_key;

INSERT INTO evaluations (evaluation_id, mission_id, agent_id, region, environment, reward, status, created_at)
SELECT md5('more ' || n)::uuid, 1 + n % 5000, (ARRAY['dqn', 'a2c', 'ppo', 'ddpg'])[1 + n % 4],
  current_setting('tars.region'), 'CartPole-v1', 170 + n * 7 % 41, 'completed', now() - (1000000 - n) * interval '1 second'
FROM generate_series(1, 1000000) AS n;

ALTER TABLE evaluations ADD CONSTRAINT evaluations_evaluation_id_key UNIQUE (evaluation_id);
