"""The built-in example set: `python -m operators.example DIRECTORY`."""

from operators.example.builder import ExamplePaths, build_example

__all__ = ["ExamplePaths", "build_example"]
