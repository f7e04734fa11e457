//! Enumeration, equality saturation and rule checking.
