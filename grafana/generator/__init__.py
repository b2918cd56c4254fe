"""Grafana dashboards as code: `python -m grafana.generator` writes grafana/dashboards/{en,zh}/*.json.

SPDX-License-Identifier: Apache-2.0
"""
