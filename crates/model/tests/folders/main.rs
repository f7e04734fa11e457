//! Model folders built in memory: recurrent cells against plain loops, and every way a folder can be wrong.

mod build;
mod cells;
mod errors;
mod hostile;
mod running;
