"""The inspection: what was uploaded is checked, and what is sound is published. Start reading at inspection.py."""
