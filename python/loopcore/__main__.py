"""`python -m loopcore` is the command `loopcore`."""

from loopcore.cli import main

main()
