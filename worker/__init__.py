"""The steps of one image, from claim to record, and the Celery worker that runs them side by side."""
