"""What is unusual about a day: baselines, verdicts, explanations. Pure: frames in, frames out."""
