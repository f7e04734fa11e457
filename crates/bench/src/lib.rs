//! Networks whose program is known: built from a program by hand ([`AttentionBuilder`]), or trained on what a program
//! computes ([`train_recurrent`]), or another network written down in a harder way ([`harden`]). The shipped networks under `benchmarks/networks` come from here.
//!
//! Nothing downstream of `model` is known here: what is made is a model folder, and deciphering starts from its bytes.

mod attention;
mod folder;
mod harder;
pub mod programs;
mod recurrent;

pub use attention::{AttentionBuilder, Basis, Condition};
pub use folder::{Folder, FolderError};
pub use harder::{Hardened, Hardening, harden};
pub use recurrent::{Between, CellKind, TrainConfig, TrainReport, train_recurrent};
