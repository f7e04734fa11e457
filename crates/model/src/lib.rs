//! Model folders to computation graphs.
