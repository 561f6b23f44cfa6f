//! What others have to go through to reach a server.

use std::io::copy;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::port;

/// A port that passes connections on to another one until it is closed.
#[derive(Debug)]
pub struct Door {
    port: u16,
    passage: Arc<Mutex<Passage>>,
}

#[derive(Debug, Default)]
struct Passage {
    closed: bool,
    /// Both ends of every connection that was ever let through.
    ends: Vec<TcpStream>,
}

impl Door {
    /// A door on a port of its own, to the server on `target` of 127.0.0.1.
    pub fn to(target: u16) -> Door {
        let port = port::free();
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("the port is free");
        let passage = Arc::new(Mutex::new(Passage::default()));
        let doorkeeper = Arc::clone(&passage);
        std::thread::spawn(move || {
            for outside in listener.incoming().map_while(Result::ok) {
                // Dropping it closes it. So it looks when the server is down, too.
                let Ok(inside) = TcpStream::connect(("127.0.0.1", target)) else {
                    continue;
                };
                let mut passage = doorkeeper.lock().unwrap_or_else(PoisonError::into_inner);
                if !passage.closed {
                    let _ = passage.let_through(&outside, &inside);
                }
            }
        });
        Door { port, passage }
    }

    /// The port that others know.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Breaks every connection, and lets nobody in until what is returned is dropped.
    #[must_use = "the door opens when this is dropped"]
    pub fn close(&self) -> Closed<'_> {
        let mut passage = self.passage();
        passage.closed = true;
        for end in passage.ends.drain(..) {
            let _ = end.shutdown(Shutdown::Both);
        }
        Closed { door: self }
    }

    fn passage(&self) -> MutexGuard<'_, Passage> {
        self.passage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A door that is closed, and opens again when this is dropped: a case that fails leaves no closed door to the next.
#[derive(Debug)]
pub struct Closed<'a> {
    door: &'a Door,
}

impl Drop for Closed<'_> {
    fn drop(&mut self) {
        self.door.passage().closed = false;
    }
}

impl Passage {
    fn let_through(&mut self, outside: &TcpStream, inside: &TcpStream) -> std::io::Result<()> {
        pass(outside.try_clone()?, inside.try_clone()?);
        pass(inside.try_clone()?, outside.try_clone()?);
        self.ends.push(outside.try_clone()?);
        self.ends.push(inside.try_clone()?);
        Ok(())
    }
}

/// Copies what comes, in a thread that ends with the connection.
fn pass(mut from: TcpStream, mut to: TcpStream) {
    std::thread::spawn(move || {
        let _ = copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
        let _ = from.shutdown(Shutdown::Read);
    });
}
