"""The data: one module per modality, batches as a pure function of (seed, epoch, step)."""
