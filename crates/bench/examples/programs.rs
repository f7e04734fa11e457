//! Writes the small compiled networks of `bench::programs`: `cargo run -p bench --example programs -- FOLDER`

use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).ok_or("usage: programs FOLDER")?;
    for (name, make) in bench::programs::ALL {
        make()?.write(&Path::new(&folder).join(name))?;
    }
    Ok(())
}
