"""How much of what strangers send is looked at: one place for the bounds that protect the event loop and the memory.

A reader of foreign bytes needs three things: a bound on the bytes that it keeps, a bound on the steps that it takes
(or an algorithm that is linear in the bytes), and no recursion. tests/hostile lists all readers with their bounds.
"""

from __future__ import annotations

# -- mail ---------------------------------------------------------------------------------------------------------

HEADER_FIELDS = 8 * 1024  # bytes of the header fields that are fetched of each mail in a watched folder
MESSAGE = 256 * 1024  # bytes of one message: of a report, and of a mail of ours
HEADER = 64 * 1024  # bytes of a header that are read
FIELD = 8 * 1024  # bytes of the value of a header field that are interpreted
REPORT_PARTS = 10  # parts of a report that are looked at; RFC 6522 has two or three
REPORT_DELIMITERS = 200  # lines that begin like the boundary between them
REPORT_BLOCKS = 20  # recipients in a delivery status
REPORT_PART = 16 * 1024  # bytes of one part
TEXT = 8 * 1024  # bytes of the text of a mail of ours, which has about 1,000
SIGNED = 64 * 1024  # bytes of a mail whose DKIM signature is verified
BLANKS = 256  # blanks in a row in such a mail: dkimpy's time is the product of both

# -- servers' answers ---------------------------------------------------------------------------------------------

IMAP_COMMAND = 1024 * 1024  # bytes of all that a server says to one command, literals included
IMAP_LITERAL = 512 * 1024  # bytes
IMAP_LINE = 64 * 1024  # bytes
IMAP_LINES = 12_000  # for one command
IMAP_CAPABILITIES = 8 * 1024  # characters
DNS_POINTERS = 127  # in one name; a name has at most 127 labels (RFC 1035 section 3.1)
DNS_STEPS = 8_000  # labels, pointers and texts in one message
DNS_OTHER_RECORDS = 50  # in one message, of the types that dnspython reads

# -- records in DNS -----------------------------------------------------------------------------------------------

SPF_TERMS = 500
DKIM_KEY_RECORD = 1024  # bytes of a key record that we cannot read and dkimpy perhaps can
DKIM_KEY_BITS = 4096  # of the RSA keys that we verify with
DKIM_EXPONENT_BITS = 64  # as in OpenSSL


class TooMuchError(ValueError):
    """A budget is used up: what is read is larger than anything that is meant well."""


class Budget:
    """Steps that may be taken for one message."""

    __slots__ = ("_left",)

    def __init__(self, steps: int) -> None:
        self._left = steps

    def spend(self, steps: int = 1) -> None:
        """Raises TooMuchError where nothing is left."""
        self._left -= steps
        if self._left < 0:
            raise TooMuchError("it takes too many steps to read")
