"""The way off an application's triggers, where one is named: parity and coverage."""
