"""The configuration of a search: one set of models for the YAML file, the command line and the UI's form."""

from operators.config.data import FLAGS_VERSION, Data, Embedding, RowFormat, Sampling, Targeting
from operators.config.endpoints import Endpoint, Endpoints, TargetEndpoint
from operators.config.judging import JudgeExam, Judging
from operators.config.reading import load_config, override, parse, read_yaml
from operators.config.search import DEFAULT_CHAINS, Budget, Cluster, ScaleOut, SearchConfig, Step, Strategist
from operators.config.settings import Settings
from operators.config.training import LoRA, Racing, Training

__all__ = [
    "DEFAULT_CHAINS",
    "FLAGS_VERSION",
    "Budget",
    "Cluster",
    "Data",
    "Embedding",
    "Endpoint",
    "Endpoints",
    "JudgeExam",
    "Judging",
    "LoRA",
    "Racing",
    "RowFormat",
    "Sampling",
    "ScaleOut",
    "SearchConfig",
    "Settings",
    "Step",
    "Strategist",
    "TargetEndpoint",
    "Targeting",
    "Training",
    "load_config",
    "override",
    "parse",
    "read_yaml",
]
