//! Linear mixed models.
