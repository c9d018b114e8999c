//! Real servers for tests: started by the tests themselves, on free loopback ports, with data that is thrown away.
//!
//! Each ends with the test binary for certain, also if that is killed: `setpriv` has the system kill it when the thread
//! that started it is gone, and that thread lasts as long as the binary.

use std::io;
use std::net::TcpListener;
use std::process::{Child, Command};
use std::sync::LazyLock;
use std::sync::mpsc::{Sender, channel};
use std::thread;

pub mod redis;

type Start = (Command, Sender<io::Result<Child>>);

static STARTER: LazyLock<Sender<Start>> = LazyLock::new(|| {
    let (starts, orders) = channel::<Start>();
    thread::spawn(move || {
        for (mut command, started) in orders {
            let _ = started.send(command.spawn());
        }
    });
    starts
});

/// A command that is killed when this process is gone.
pub fn bound_to_us(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", program]);
    command
}

/// Starts a command that is [`bound_to_us`].
pub fn start(command: Command) -> Child {
    let (started, child) = channel();
    STARTER.send((command, started)).unwrap();
    child.recv().unwrap().unwrap()
}

/// A port that nobody listens at.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}
