"""Processing target selection: which records are of low quality."""

from operators.targeting.asking import Asking
from operators.targeting.flagging import Targeting, flag_records
from operators.targeting.labels import labels_of

__all__ = ["Asking", "Targeting", "flag_records", "labels_of"]
