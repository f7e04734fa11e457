//! Networks whose program is known: built from a program by hand ([`AttentionBuilder`]), or trained on what a program
//! computes ([`train_recurrent`]). The shipped networks under `benchmarks/networks` come from here.
//!
//! Nothing downstream of `model` is known here: what is made is a model folder, and deciphering starts from its bytes.

mod attention;
mod folder;
mod recurrent;

pub use attention::{AttentionBuilder, Basis};
pub use folder::{Folder, FolderError};
pub use recurrent::{TrainConfig, TrainReport, train_recurrent};
