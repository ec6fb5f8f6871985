//! Tables, rows, indexes and vectors over an ordered key-value seam.
