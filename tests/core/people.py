"""Policies in few words, for calls that are played."""

from __future__ import annotations

from recorderd.core.policy import ExtensionPolicy, Mode, Policy

A, D, N = Mode.ALWAYS, Mode.ON_DEMAND, Mode.NEVER


def chooses(extension: str, inbound: Mode, outbound: Mode | None = None, **more: object) -> ExtensionPolicy:
    """An extension's policy, both ways alike unless said otherwise."""
    return ExtensionPolicy(extension=extension, inbound=inbound, outbound=outbound or inbound, **more)


def policy(*extensions: ExtensionPolicy, default: Mode = N, **more: object) -> Policy:
    """A policy of these extensions; everybody else has `default` for everything."""
    return Policy(
        version=7,
        extensions={e.extension: e for e in extensions},
        default=chooses("", default),
        **more,
    )
