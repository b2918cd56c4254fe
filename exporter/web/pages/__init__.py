"""The HTML pages: the status page, targets, incidents and runbooks."""
