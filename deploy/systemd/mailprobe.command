#!/bin/sh
# The command line of the service: it finds the service's configuration, and the daemon that runs.
export MAILPROBE_CONFIG_FILE="${MAILPROBE_CONFIG_FILE:-/etc/mailprobe/config.yaml}"
export MAILPROBE_STORAGE_PATH="${MAILPROBE_STORAGE_PATH:-/var/lib/mailprobe}"
exec /opt/mailprobe/bin/mailprobe "$@"
