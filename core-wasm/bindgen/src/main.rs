//! `bindgen INPUT.wasm OUTPUT_DIRECTORY`: makes the JavaScript glue and its types.
//!
//! The library behind the wasm-bindgen command, so that Cargo.lock pins it together with the crate: the two must be of one version.

use std::{env, path::PathBuf};

use anyhow::{Context, Result};
use wasm_bindgen_cli_support::Bindgen;

fn main() -> Result<()> {
    let mut arguments = env::args_os().skip(1).map(PathBuf::from);
    let input = arguments.next().context("Cannot run: the first argument must be the .wasm file")?;
    let output = arguments.next().context("Cannot run: the second argument must be the output directory")?;
    Bindgen::new()
        .input_path(input)
        .out_name("core")
        // One script that makes one object: build.ts wraps it in a function, since each machine needs an instance of its own.
        .no_modules(true)?
        .typescript(true)
        .omit_default_module_path(true)
        .generate(output)
}
