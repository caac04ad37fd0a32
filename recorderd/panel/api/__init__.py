"""The panel for machines: JSON over HTTP, described by OpenAPI at /api/v1/openapi.json.

    problems   how a refusal looks
    schema     what goes in and out
    guard      who asks, and with which right
    calls, recordings, own, people, policy, watch   the paths, by what they are about

Everything that a page does is here, through the same services and so with the same rights. A machine shows a
bearer token; a browser that is signed in its cookie, and the header X-CSRF-Token for what changes something.
"""

from recorderd.panel.api.app import PREFIX, make_app
from recorderd.panel.api.problems import broken, problem, unavailable

__all__ = ["PREFIX", "broken", "make_app", "problem", "unavailable"]
