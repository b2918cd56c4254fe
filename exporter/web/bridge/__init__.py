"""Alertmanager's notifications, passed on to the group robots of DingTalk, Feishu and WeCom."""
