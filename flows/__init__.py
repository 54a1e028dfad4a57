"""What happens, in which order."""

import operators  # noqa: F401 - its environment defaults must be in place before Prefect is imported
