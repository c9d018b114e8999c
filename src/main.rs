//! The program: argv in, exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (Some("__guard"), Some(mark)) => jobrunner::tasks::guard::main(&mark),
        _ => ExitCode::SUCCESS,
    }
}
