"""Dagster: assets, checks, sensors, schedules, automation. The only room that imports it.

Thin by rule: each definition fetches state, calls one function of the room that does the work, and
reports. No step needs Dagster to be correct.
"""

import warnings

import dagster as dg

# Backfill policies are marked as beta; saying so at each import helps nobody who runs this.
warnings.filterwarnings("ignore", category=dg.BetaWarning)
