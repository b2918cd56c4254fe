"""The thresholds of alerts and panels, in one place, so that an alert and the colour of its panel always agree.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Final

DAY: Final = 86_400  # seconds

CERTIFICATE_WARNING_DAYS: Final = 21
CERTIFICATE_CRITICAL_DAYS: Final = 7

QUOTA_FILLING_RATIO: Final = 0.70  # the forecast is only used above this
QUOTA_WARNING_RATIO: Final = 0.90
QUOTA_CRITICAL_RATIO: Final = 0.97
QUOTA_FORECAST_DAYS: Final = 3

STALLED_INTERVALS: Final = 3  # a probe stalls when its last run is older than so many intervals …
STALLED_GRACE_SECONDS: Final = 60  # … plus this
SCHEDULER_DELAY_SECONDS: Final = 30
DNS_CHANGE_SECONDS: Final = 3_600  # how long a changed record is reported

OBJECTIVE: Final = 0.99  # share of a mailbox's probes that succeed, over 30 days
BURN_RATE_MIN_FAILURES: Final = 2.5  # one failed probe of a few must not page anybody

ROUNDTRIP_OVERDUE_SECONDS: Final = 240  # the earliest time for a mail to be overdue, for any deadline
ROUNDTRIP_SLOW_RATIO: Final = 0.5  # share of the deadline, for the 95th percentile
ROUNDTRIP_SLOW_MESSAGES: Final = 20  # minimum in six hours for the 95th percentile to mean something
ROUNDTRIP_LOST_CRITICAL: Final = 3  # mails within an hour
ROUNDTRIP_MISFILED: Final = 2  # mails within three hours
