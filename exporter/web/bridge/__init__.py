"""Forwards Alertmanager's notifications to group robots of DingTalk, Feishu and WeCom."""
