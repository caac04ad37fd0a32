"""recorderd enforces call-recording policy beside Asterisk, and proves that it did."""

__version__ = "0.1.0"
