"""What people met in the field, as data: replies, behaviours and bounces, each with the verdict that is right."""
