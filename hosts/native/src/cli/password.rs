//! Passwords from the terminal, or from standard input.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use super::CommandError;

/// The password that was given, or one that is asked for: twice at a terminal, where it is not shown, and once elsewhere.
pub(super) fn get(given: Option<String>) -> Result<String, CommandError> {
    if let Some(password) = given {
        return Ok(password);
    }
    if !io::stdin().is_terminal() {
        return Ok(line()?);
    }
    let (password, again) = (hidden("Password: ")?, hidden("Again: ")?);
    if password != again {
        return Err(CommandError("the two passwords differ".to_owned()));
    }
    Ok(password)
}

fn line() -> io::Result<String> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn hidden(prompt: &str) -> Result<String, CommandError> {
    eprint!("{prompt}");
    io::stderr().flush()?;
    let _quiet = Quiet::begin()?;
    let password = line()?;
    eprintln!();
    Ok(password)
}

/// A terminal that does not show what is typed, as long as this lives.
struct Quiet(Termios);

impl Quiet {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Now, &quiet)?;
        Ok(Self(before))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // Nobody is left to be told.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}
