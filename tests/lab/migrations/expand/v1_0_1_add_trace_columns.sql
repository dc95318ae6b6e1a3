-- Copyright: (c) 2026, T.A.R.S. rollout contributors
-- GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later
ALTER TABLE traces ADD COLUMN parent_span_id text;
