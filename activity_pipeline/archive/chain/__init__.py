"""The chain of manifests: what each says, who signed it, which is a day's newest, and whether it is whole."""
