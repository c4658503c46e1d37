"""`python -m activity_pipeline` is `activity-pipeline`."""

from activity_pipeline.cli import main

main()
