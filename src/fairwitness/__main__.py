"""`python -m fairwitness` is `fairwitness`."""

from fairwitness.cli.main import main

main()
