"""The embedded PostgreSQL as a program of its own: `python -m gateway.stack.postgres FOLDER LINK`.

The server's socket lies in another folder after every start; LINK points there as long as it runs.
"""

import signal
import sys
import threading
from pathlib import Path

from sqlalchemy.engine import make_url

from canonical.errors import Misconfigured
from storage.embedded import EmbeddedPostgres

_LOOK = 0.2


def main(folder: Path, link: Path) -> int:
    """Until SIGTERM, or until the server is gone: then whoever watches starts us again."""
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    signal.signal(signal.SIGINT, lambda *_: over.set())
    try:
        with EmbeddedPostgres(folder) as server:
            socket = make_url(server.url).query["host"]
            fresh = link.with_name(f"{link.name}.new")
            fresh.unlink(missing_ok=True)
            fresh.symlink_to(str(socket))
            fresh.replace(link)
            while not over.wait(_LOOK):
                if server.pid is None:
                    sys.stderr.write("the PostgreSQL server is gone\n")
                    return 1
    except Misconfigured as error:
        sys.stderr.write(f"{error}\n")
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
