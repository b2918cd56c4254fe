"""The embedded mail world of `mailprobe demo`: small honest servers on loopback, some of it broken on purpose."""
