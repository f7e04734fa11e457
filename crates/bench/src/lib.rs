//! Networks made from programs.
