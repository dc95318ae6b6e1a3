# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._migrate.expand import takes_away


@pytest.mark.parametrize(
    ("statement", "word"),
    [
        ("/* first */ DROP TRIGGER x ON t", "drop"),
        ("truncate t", "truncate"),
        ("DELETE FROM t", "delete"),
        ("REVOKE ALL ON t FROM u", "revoke"),
        ("WITH gone AS (DELETE FROM t RETURNING *) INSERT INTO u SELECT * FROM gone", "delete"),
        ("WITH x AS (SELECT 1) DELETE FROM t", "delete"),
        ("ALTER TYPE e RENAME VALUE 'a' TO 'b'", "rename"),
        ("ALTER TABLE t ADD COLUMN a int, DROP COLUMN b", "drop"),
        ("ALTER TABLE t ALTER COLUMN a DROP NOT NULL", "drop"),
        ("ALTER TABLE t DETACH PARTITION p", "detach"),
        ("ALTER TABLE t SET SCHEMA s", "set-schema"),
        ("ALTER TABLE t ADD COLUMN drop int", ""),
        ("ALTER TABLE t ADD CHECK (drop > 1)", ""),
        ('ALTER TABLE t ADD COLUMN "rename" int', ""),
        ("ALTER TABLE t SET (fillfactor = 70)", ""),
        ("CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $$ DELETE FROM t $$", ""),
        ("WITH x AS (SELECT delete FROM t) INSERT INTO u SELECT * FROM x", ""),
        ("GRANT DELETE ON t TO u", ""),
        ("", ""),
    ],
)
def test_what_takes_away_is_seen(statement: str, word: str) -> None:
    assert takes_away(statement) == word
