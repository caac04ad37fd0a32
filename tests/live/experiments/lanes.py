"""How an own-voice lane (`MixMonitor`, empty File, `br(file)`) relates to the time on the wall.

Plays kinds of calls on a real Asterisk and compares each lane's file, frame by frame, with what the phone
said when, and with the bridged time that AMI tells. Prints the tables of docs/lanes.md.

    python -m tests.live.experiments.lanes [--versions 22,16] [--only NAME,NAME] [--runs 20] [--long SECONDS]
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from pathlib import Path

from tests.live.asterisk import Asterisk
from tests.live.experiments.growth import Growth
from tests.live.experiments.measure import Row, apart, measure
from tests.live.experiments.scenes import SCENES, Scene, long_call
from tests.live.experiments.stage import Lane, Stage
from tests.live.phone import Phones
from tests.live.rig_ami import RigAmi

__all__ = ["Lane", "Stage", "play"]


async def play(asterisk: Asterisk, name: str, scene: Scene, in_step: bool = True) -> list[Row]:
    """One scene with fresh phones; its lanes, measured."""
    folder = Path(tempfile.mkdtemp(prefix="lanes-", dir=asterisk.folder))
    async with RigAmi(asterisk.ami_port, asterisk.secret) as ami, Phones(asterisk) as phones:
        stage = Stage(asterisk, ami, phones, folder, in_step)
        growth = Growth(folder)
        try:
            await scene(stage)
        finally:
            growth.stop()
        return [measure(stage, name, lane, growth.anchors.get(lane.path.name, [])) for lane in stage.lanes]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--versions", default="22,16")
    parser.add_argument("--only", default=",".join(SCENES))
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--long", type=float, default=0, help="seconds of a long call instead")
    parser.add_argument("--no-s", action="store_true", help="without option S on 16")
    arguments = parser.parse_args()
    scenes = {name: SCENES[name] for name in arguments.only.split(",")}
    if arguments.long:
        scenes = {f"long call, {arguments.long:.0f} s": long_call(arguments.long)}
    for version in map(int, arguments.versions.split(",")):
        with tempfile.TemporaryDirectory(prefix="lanes-") as folder:
            asterisk = Asterisk.start(version, Path(folder))
            print(f"\n### {asterisk.cli('core show version').split(' built')[0].strip()}\n\n{Row.HEAD}")
            try:
                for name, scene in scenes.items():
                    for _ in range(arguments.runs):
                        rows = asyncio.run(play(asterisk, name.replace("_", " "), scene, not arguments.no_s))
                        print(*rows, sep="\n", flush=True)
                        if arguments.long:
                            print("\n" + apart(*rows))
            finally:
                asterisk.stop()


if __name__ == "__main__":
    main()
