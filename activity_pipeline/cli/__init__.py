"""The command line: argument parsing and printing only."""

import sys


def main() -> None:
    """Run `activity-pipeline`; say what to install where the platform is missing."""
    try:
        from activity_pipeline.cli.main import run
    except ModuleNotFoundError as error:
        sys.exit(
            f"error: the command line needs the platform ({error.name} is missing): "
            "pip install 'activity-pipeline[platform]'"
        )
    sys.exit(run())
