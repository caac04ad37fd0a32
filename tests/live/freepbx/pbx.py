"""The FreePBX-like Asterisk with recorderd beside it.

Owns how the dialplan is filled in for a version, and FreePBX's own policy in AstDB. Must not know any test.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.live.asterisk import free_port
from tests.live.scene import Policy, Scene, scene

HERE = Path(__file__).parent
OURS = HERE.parents[2] / "dialplan"
_FEATURES = """
[general]
featuredigittimeout = 1000
[featuremap]
[applicationmap]
recorderd => *1,self,AGI,agi://127.0.0.1:@agi_port@/toggle
recorderd-pause => *7,self,UserEvent(RecorderdPausing)
apprecord => *3,self,Gosub(one-touch,s,1)
"""
# How FreePBX calls its hooks: by Macro until 16 (Asterisk 16 to 20), by Gosub since 17.
_HOOKS = {16: (r"Macro(\1)", "MacroExit()"), 22: (r"Gosub(macro-\1,s,1)", "Return()")}


def dialplan(version: int, agi_port: int, *, bridged_only: bool = True) -> str:
    """extensions.conf. `bridged_only`: FreePBX's recorder has `b`, as its setting MONITOR_REC_OPTION says."""
    call, end = _HOOKS[version]
    text = re.sub(r"@hook@\(([\w-]+)\)", call, (HERE / "extensions.conf").read_text())
    values = {"agi_port": str(agi_port), "b": "b" if bridged_only else "", "end_of_hook": end}
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text


@contextlib.contextmanager
def freepbx(
    version: int,
    folder: Path,
    policy: Policy,
    forced: Mapping[str, str],
    *,
    foreign: str = "leave",
    hooks: bool = False,
    bridged_only: bool = True,
    endpoints: int = 20,
    **daemon: Any,
) -> Iterator[Scene]:
    """Both running, `policy` in force here, and `forced` there: (extension, what FreePBX says for its calls).

    `hooks`: extensions_custom.conf includes ours. `foreign` and `daemon` are keys of recorderd's configuration.
    """
    port = free_port()
    files = {
        "extensions.conf": dialplan(version, port, bridged_only=bridged_only),
        "features.conf": _FEATURES.replace("@agi_port@", str(port)),
    }
    if hooks:
        files["extensions_custom.conf"] = "#include extensions_custom_recorderd.conf\n"
        for name in ("extensions_custom_recorderd.conf", "recorderd.conf"):
            files[name] = (OURS / name).read_text()
    with scene(
        version,
        folder,
        policy,
        agi_port=port,
        files=files,
        endpoints=endpoints,
        modules=["app_macro.so"] if version == 16 else [],
        daemon={"foreign": foreign, "feature": {"pause": "recorderd-pause"}, **daemon},
    ) as house:
        for extension, mode in forced.items():
            house.asterisk.cli(f"database put AMPUSER/{extension}/recording/out internal {mode}")
            house.asterisk.cli(f"database put AMPUSER/{extension}/recording/out external {mode}")
        yield house
