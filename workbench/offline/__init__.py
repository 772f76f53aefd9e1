"""What runs inside the offline AWS's own process: MiniStack, and all that it lacks.

`gateway.py` is the program. `parts/` extend MiniStack, `stand_ins/` provision the resource types that its
CloudFormation does not know, `engines/` are the real servers behind databases, caches and brokers, and
`control.py` is how a dry run makes faults. Nothing here is imported by the workbench outside of that process.
"""
