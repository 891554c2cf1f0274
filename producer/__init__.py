"""Finding work: scans of buckets and notifications from stores become jobs in the queue. No pixels here."""
