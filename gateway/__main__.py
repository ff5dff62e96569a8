"""`python -m gateway` is `gridhub`."""

from gateway.cli import main

main()
