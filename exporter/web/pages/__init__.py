"""The HTML pages: status page, targets, incidents and runbooks."""
