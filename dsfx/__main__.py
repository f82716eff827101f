"""``python -m dsfx`` is ``dsfx``."""

from .cli import main

main()
