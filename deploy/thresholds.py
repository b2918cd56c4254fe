"""The numbers at which an alert fires and a panel changes its colour: written once, so that both say the same.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Final

DAY: Final = 86_400  # seconds

CERTIFICATE_WARNING_DAYS: Final = 21
CERTIFICATE_CRITICAL_DAYS: Final = 7

QUOTA_FILLING_RATIO: Final = 0.70  # from here on the forecast is looked at
QUOTA_WARNING_RATIO: Final = 0.90
QUOTA_CRITICAL_RATIO: Final = 0.97
QUOTA_FORECAST_DAYS: Final = 3

STALLED_INTERVALS: Final = 3  # a probe stalls when its last run is older than so many intervals …
STALLED_GRACE_SECONDS: Final = 60  # … and this
SCHEDULER_DELAY_SECONDS: Final = 30
DNS_CHANGE_SECONDS: Final = 3_600  # how long a changed record is told

OBJECTIVE: Final = 0.99  # of a mailbox's probes, over 30 days
BURN_RATE_MIN_FAILURES: Final = 2.5  # one failed probe of few must not page

ROUNDTRIP_OVERDUE_SECONDS: Final = 240  # a mail is not overdue before, whatever its deadline
ROUNDTRIP_SLOW_RATIO: Final = 0.5  # of the deadline, in the 95th percentile
ROUNDTRIP_SLOW_MESSAGES: Final = 20  # of fewer in six hours the 95th percentile says nothing
ROUNDTRIP_LOST_CRITICAL: Final = 3  # mails within an hour
ROUNDTRIP_MISFILED: Final = 2  # mails within three hours
