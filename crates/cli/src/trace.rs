//! `ventris trace`: the computation graph.

use report::{SCHEMA, TraceResult};

use crate::args::{Common, Format, TraceArgs};
use crate::failure::Failure;
use crate::{Status, output};

/// Prints the graph of a network.
///
/// # Errors
/// A model that cannot be read.
pub(crate) fn run(args: &TraceArgs, common: &Common) -> Result<Status, Failure> {
    let network = load_model(&args.model)?;
    // Enough of a recurrent network to see how it goes on.
    let graph = network.graph(network.domain.length.1.min(3));
    let text = if args.dot {
        graph.dot()
    } else if args.json || common.format == Format::Json {
        output::json_text(&TraceResult {
            schema: SCHEMA,
            model: args.model.display().to_string(),
            family: network.family().name(),
            n_parameters: network.n_parameters(),
            graph: graph.summary(),
        })?
    } else {
        let head = format!("{}, {} parameters", network.family().name(), network.n_parameters());
        let steps = if network.recurrence().is_some() { "; the first steps, which all have the same" } else { "" };
        format!("{head}{steps}\n\n{}", graph.describe())
    };
    output::to_stdout(&text)?;
    Ok(Status::Done)
}

/// Reads a model folder.
///
/// # Errors
/// Whatever is wrong with it.
pub(crate) fn load_model(path: &std::path::Path) -> Result<graph::Network, Failure> {
    model::load(&read_model(path)?).map_err(|error| Failure::at(path, &error).hint(error.help()))
}

/// Reads the files of a model folder.
///
/// # Errors
/// Files that are missing, unreadable or too large.
pub(crate) fn read_model(path: &std::path::Path) -> Result<model::ModelFiles, Failure> {
    model::read_dir(path).map_err(|error| Failure::at(path, &error).hint(error.help()))
}
