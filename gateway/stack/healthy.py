"""`python -m gateway.stack.healthy URL`: exit code 0 when the page answers 200. For health checks of containers."""

import sys

from gateway.stack.asking import answers

if __name__ == "__main__":
    sys.exit(not answers(sys.argv[1], seconds=5))
