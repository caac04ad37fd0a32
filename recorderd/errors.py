"""Every error that recorderd raises, and whose fault each one is.

    RecorderdError          something a person should read as one sentence
    ├── ConfigError         the administrator: a file, a key or a value
    ├── AmiError            Asterisk, or the way to it
    │   ├── LoginRefused    the secret, the user or the ACL
    │   ├── ActionRefused   Asterisk answered Error
    │   └── ActionLost      no answer before the deadline, or the link went down
    ├── StoreError          the database
    ├── AudioError          a sound file, or what was to be made from it
    │   └── PlaceError      a disk or folder that is full, away or read-only: it may come back
    │       └── BucketFault object storage that refuses or does not answer
    ├── EvidenceError       the proof: its key, its heads or a bundle of it
    └── ControlError        the control socket: no daemon there, or it said no

A library's own error is translated once, in the room that holds the library.
"""


class RecorderdError(Exception):
    """Something went wrong and `str()` of it is one sentence for a person."""


class ConfigError(RecorderdError):
    """A configuration file cannot be used; `str()` lists every fault, one `file:line:column` each."""


class AmiError(RecorderdError):
    """Asterisk's manager interface did not do what was asked."""


class LoginRefused(AmiError):
    """Asterisk refused the manager login."""


class ActionRefused(AmiError):
    """Asterisk answered an action with `Response: Error`; `str()` is its message."""


class ActionLost(AmiError):
    """No answer came: the deadline passed or the connection was lost. The action may have been done."""


class StoreError(RecorderdError):
    """The database cannot be reached or refused what was asked."""


class AudioError(RecorderdError):
    """A sound file is missing, broken or cannot be made."""


class PlaceError(AudioError):
    """A disk or a folder does not take or give what it should; later it may."""


class BucketFault(PlaceError):
    """The bucket refuses, or does not answer in time; it is tried again."""


class EvidenceError(RecorderdError):
    """The signing key, the heads or a bundle cannot be read, made or written."""


class ControlError(RecorderdError):
    """The daemon's control socket is not there, or the daemon refused the request."""
