# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start a service: `python3 -m tarsapp`, told by TARS_SERVICE which one."""

from __future__ import annotations

import asyncio
import logging
import os
import sys

from .config import ConfigError, load
from .lifecycle import serve


def main() -> int:
    """Run until told to stop; return the exit code (2: cannot start as told)."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO, stream=sys.stderr)
    try:
        asyncio.run(serve(load(os.environ)))
    except ConfigError as error:
        print(f"tarsapp cannot start: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"tarsapp cannot start: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
