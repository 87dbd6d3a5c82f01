"""The examples are imported from the checkout, as `roomhost serve examples.chat:app` does."""

from __future__ import annotations

import sys
from pathlib import Path

# Last, so that an installed package never gives way to a folder here.
sys.path.append(str(Path(__file__).parent.parent.parent))
