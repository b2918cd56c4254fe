"""The recording rules and alerts for Prometheus, as tables by layer; `python -m deploy.rules` writes them as YAML.

SPDX-License-Identifier: Apache-2.0
"""
