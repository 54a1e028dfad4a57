"""Processing target selection: which records are of low quality."""

from operators.targeting.flagging import Targeting, flag_records

__all__ = ["Targeting", "flag_records"]
