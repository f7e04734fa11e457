//! A model folder in memory: weights, `config.json`, `task.json`.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::tensor::{Dtype, TensorView};

/// A model folder as bytes, in the formats that the `model` crate reads.
#[derive(Clone, Debug)]
pub struct Folder {
    /// Contents of `model.safetensors`.
    pub weights: Vec<u8>,
    /// Contents of `config.json`.
    pub config: String,
    /// Contents of `task.json`.
    pub task: String,
}

/// Why a folder could not be made or written.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The tensors do not fit the format.
    #[error("cannot serialise the weights")]
    Weights(#[from] safetensors::SafeTensorError),
    /// A tensor operation failed.
    #[error("cannot compute the weights")]
    Tensor(#[from] candle_core::Error),
    /// A folder that should be changed is not what it should be.
    #[error("cannot change the network: expected {0}")]
    Missing(String),
    /// A file could not be written.
    #[error("cannot write the model folder")]
    Write(#[from] std::io::Error),
}

/// A float32 tensor: shape and values in row-major order.
pub(crate) type Weights = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

impl Folder {
    /// A folder from tensors by name and the two JSON texts.
    pub(crate) fn new(
        weights: &Weights,
        config: &serde_json::Value,
        task: &serde_json::Value,
    ) -> Result<Self, FolderError> {
        let bytes: BTreeMap<&str, Vec<u8>> = weights
            .iter()
            .map(|(name, (_, data))| (name.as_str(), data.iter().flat_map(|v| v.to_le_bytes()).collect()))
            .collect();
        let views = weights
            .iter()
            .map(|(name, (shape, _))| {
                let view = TensorView::new(Dtype::F32, shape.clone(), &bytes[name.as_str()])?;
                Ok((name.clone(), view))
            })
            .collect::<Result<Vec<_>, FolderError>>()?;
        Ok(Self {
            weights: safetensors::serialize(views, None)?,
            config: format!("{config:#}\n"),
            task: format!("{task:#}\n"),
        })
    }

    /// Writes the three files into `folder`, which is made if it is not there.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn write(&self, folder: &Path) -> Result<(), FolderError> {
        std::fs::create_dir_all(folder)?;
        std::fs::write(folder.join("model.safetensors"), &self.weights)?;
        std::fs::write(folder.join("config.json"), &self.config)?;
        std::fs::write(folder.join("task.json"), &self.task)?;
        Ok(())
    }
}
