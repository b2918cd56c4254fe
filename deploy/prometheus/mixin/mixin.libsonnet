// mailprobe as a mixin: its rules, alerts and dashboards for those who build their monitoring with jsonnet.
// Thin on purpose: the sources are deploy/rules and grafana/generator. SPDX-License-Identifier: Apache-2.0
local dashboards = {
  en: {
    'mailprobe-overview.json': import '../../../grafana/dashboards/en/mailprobe-overview.json',
    'mailprobe-mailbox.json': import '../../../grafana/dashboards/en/mailprobe-mailbox.json',
    'mailprobe-roundtrip.json': import '../../../grafana/dashboards/en/mailprobe-roundtrip.json',
    'mailprobe-dns-tls.json': import '../../../grafana/dashboards/en/mailprobe-dns-tls.json',
    'mailprobe-capacity.json': import '../../../grafana/dashboards/en/mailprobe-capacity.json',
    'mailprobe-exporter.json': import '../../../grafana/dashboards/en/mailprobe-exporter.json',
  },
  zh: {
    'mailprobe-overview.json': import '../../../grafana/dashboards/zh/mailprobe-overview.json',
    'mailprobe-mailbox.json': import '../../../grafana/dashboards/zh/mailprobe-mailbox.json',
    'mailprobe-roundtrip.json': import '../../../grafana/dashboards/zh/mailprobe-roundtrip.json',
    'mailprobe-dns-tls.json': import '../../../grafana/dashboards/zh/mailprobe-dns-tls.json',
    'mailprobe-capacity.json': import '../../../grafana/dashboards/zh/mailprobe-capacity.json',
    'mailprobe-exporter.json': import '../../../grafana/dashboards/zh/mailprobe-exporter.json',
  },
};

{
  _config+:: {
    language: 'en',  // of the dashboards: en or zh. Alerts say everything in both.
    watchdog: true,  // false where another Watchdog exists, as in kube-prometheus
  },

  // For another selector or Grafana's address: `python -m deploy.rules --selector … --grafana-url … --out DIR`, and put
  // the rules.json which that writes beside this file.
  local shipped = import 'rules.json',
  local wanted(rule) = $._config.watchdog || !('alert' in rule && rule.alert == 'Watchdog'),
  prometheusAlerts+:: {
    groups+: [group { rules: std.filter(wanted, group.rules) } for group in shipped.prometheusAlerts.groups],
  },
  prometheusRules+:: shipped.prometheusRules,
  grafanaDashboards+:: dashboards[$._config.language],
}
