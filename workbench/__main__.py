"""`python -m workbench` is `blueprint`."""

from workbench.cli import main

main()
