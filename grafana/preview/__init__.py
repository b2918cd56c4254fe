"""A preview of the dashboards, which is not Grafana: `python -m grafana.preview --prometheus URL > page.html`.

SPDX-License-Identifier: Apache-2.0
"""
