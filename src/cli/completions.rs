//! `completions`: what a shell needs to complete the program's commands, options and files.

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

use super::Cli;
use super::report::{self, Exit, Result};

/// What `completions` takes.
#[derive(Debug, Args)]
#[command(after_help = "\
Put it where the shell looks for it:
  bash        jobrunner completions bash > ~/.local/share/bash-completion/completions/jobrunner
  zsh         jobrunner completions zsh > \"${fpath[1]}/_jobrunner\"
  fish        jobrunner completions fish > ~/.config/fish/completions/jobrunner.fish
  elvish      eval (jobrunner completions elvish | slurp), in rc.elv
  powershell  jobrunner completions powershell | Out-String | Invoke-Expression, in the profile")]
pub struct Arguments {
    /// The shell
    #[arg(
        value_enum,
        hide_possible_values = true,
        value_name = "bash|zsh|fish|elvish|powershell"
    )]
    shell: Shell,
}

/// Prints the completions.
///
/// # Errors
/// The output cannot be written.
pub fn run(arguments: &Arguments) -> Result {
    let mut script = Vec::new();
    generate(
        arguments.shell,
        &mut Cli::command(),
        "jobrunner",
        &mut script,
    );
    report::print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Success)
}
