"""Where an archive's files lie: in a folder of this machine, or below a prefix of an object store."""
