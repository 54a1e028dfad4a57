"""The quantities that a text states, and whether another version of it states the same ones."""

from operators.text.quantities.changes import Change, change, quantities
from operators.text.quantities.reading import Quantity

__all__ = ["Change", "Quantity", "change", "quantities"]
