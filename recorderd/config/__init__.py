"""The room that reads what the administrator wrote. Nothing passes it unchecked.

    load, Config     recorderd.yaml, with every fault of it at once
    merge_policy     the file's policy with the store's extensions and rules
    policy_file      extensions and rules as YAML or CSV, for import and export
    question         "what if A called B", for explain

    sections         every key and its default
    scalars, keys    how one value and one section are read
    document         YAML as text with places

Must not know where policy is stored, nor who runs what is configured.
"""

from recorderd.config.faults import FaultyConfig, Located
from recorderd.config.load import Config, load, merge_policy
from recorderd.config.policy_file import PolicyFile, read_policy
from recorderd.config.question import Question, explain

__all__ = [
    "Config",
    "FaultyConfig",
    "Located",
    "PolicyFile",
    "Question",
    "explain",
    "load",
    "merge_policy",
    "read_policy",
]
