"""An approximate preview of the dashboards without Grafana: `python -m grafana.preview --prometheus URL > page.html`.

SPDX-License-Identifier: Apache-2.0
"""
