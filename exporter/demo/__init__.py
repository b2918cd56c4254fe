"""The embedded mail servers of `mailprobe demo`, some of them broken on purpose."""
