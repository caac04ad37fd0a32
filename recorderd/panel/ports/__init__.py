"""What the pages and the API may ask: plain data, and one Protocol for each service.

    people, refusals   who asks, and how he is told no
    paging             a long list, some rows at a time
    calls, live, media, settings, accounts, admin, machines   the services, by what a page is about
    panel              all of them together, and a line of the table of pages

Owns the contract of the room. Must not know a database, HTTP or HTML. Every service checks rights itself,
so a page cannot show or do what its viewer may not: it raises `Refused` (or a child), which the app turns
into an answer. Refusals are sentences in the reader's language.

Times are seconds since the epoch, UTC; `Panel.zone` is the zone in which people read them.

How a page finds all this, in a Starlette `Request` that the app's middleware has filled before:

    request.app.state.panel   the `Panel`: every service
    request.state.viewer      the `Viewer`; None on a public page before login
    request.state.csrf        the token for `<input type="hidden" name="csrf">` or the header X-CSRF-Token
    request.state.named       whom a proxy that is believed says it is; empty without one
    request.state.language    `en` or `ru`; `recorderd.panel.language._` follows it

The policy of each page is `script-src 'self'; style-src 'self'`: nothing inline.
"""

from recorderd.core.entries import CallEntry as Entry
from recorderd.core.entries import Result
from recorderd.panel.ports.accounts import (
    Account,
    Accounts,
    Departure,
    Entrance,
    Session,
    Sessions,
    Signed,
    SignOn,
)
from recorderd.panel.ports.admin import Admin, Audit, ExtensionRow
from recorderd.panel.ports.calls import CallDetail, Calls, Filter, Leg, Part, TimeMark
from recorderd.panel.ports.live import Live, LiveCall, Press
from recorderd.panel.ports.machines import Tokens, Webhooks
from recorderd.panel.ports.media import Media, Sound
from recorderd.panel.ports.paging import Page
from recorderd.panel.ports.panel import PageRoute, Panel
from recorderd.panel.ports.people import Right, Role, Viewer
from recorderd.panel.ports.refusals import (
    Conflict,
    FaultyFilter,
    FaultyInput,
    NeedsReason,
    NotFound,
    NotSignedIn,
    Refused,
    Throttled,
)
from recorderd.panel.ports.settings import Choice, OwnPolicy, Settings
from recorderd.store.abc import AuditRow

__all__ = [
    "Account",
    "Accounts",
    "Admin",
    "Audit",
    "AuditRow",
    "CallDetail",
    "Calls",
    "Choice",
    "Conflict",
    "Departure",
    "Entrance",
    "Entry",
    "ExtensionRow",
    "FaultyFilter",
    "FaultyInput",
    "Filter",
    "Leg",
    "Live",
    "LiveCall",
    "Media",
    "NeedsReason",
    "NotFound",
    "NotSignedIn",
    "OwnPolicy",
    "Page",
    "PageRoute",
    "Panel",
    "Part",
    "Press",
    "Refused",
    "Result",
    "Right",
    "Role",
    "Session",
    "Sessions",
    "Settings",
    "SignOn",
    "Signed",
    "Sound",
    "Throttled",
    "TimeMark",
    "Tokens",
    "Viewer",
    "Webhooks",
]
