//! How do bytes get from and to the other end? The only file that touches the socket of an accepted connection;
//! dialled ones are in `client/link.rs`.

use crate::message::canonical;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use tokio::net::TcpStream;

/// One accepted socket; in tests of services also memory.
pub(crate) enum Wire {
    Socket(TcpStream),
    #[cfg(feature = "testing")]
    Memory(memory::Memory),
}

impl Wire {
    /// Who is at the other end.
    pub(super) fn remote(&self) -> io::Result<SocketAddr> {
        match self {
            Wire::Socket(socket) => socket.peer_addr().map(canonical),
            #[cfg(feature = "testing")]
            Wire::Memory(memory) => Ok(memory.remote),
        }
    }

    /// Which of our addresses the other end dialled.
    pub(super) fn local(&self) -> io::Result<SocketAddr> {
        match self {
            Wire::Socket(socket) => socket.local_addr().map(canonical),
            #[cfg(feature = "testing")]
            Wire::Memory(memory) => Ok(memory.local),
        }
    }

    pub(super) async fn readable(&self) -> io::Result<()> {
        match self {
            Wire::Socket(socket) => socket.readable().await,
            #[cfg(feature = "testing")]
            Wire::Memory(_) => std::future::pending().await,
        }
    }

    pub(super) async fn writable(&self) -> io::Result<()> {
        match self {
            Wire::Socket(socket) => socket.writable().await,
            #[cfg(feature = "testing")]
            Wire::Memory(_) => Ok(()),
        }
    }

    pub(super) fn read(&self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Wire::Socket(socket) => socket.try_read(into),
            #[cfg(feature = "testing")]
            Wire::Memory(_) => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// Reads as much as there is room for behind what `into` holds.
    pub(super) fn read_behind(&self, into: &mut Vec<u8>) -> io::Result<usize> {
        match self {
            Wire::Socket(socket) => socket.try_read_buf(into),
            #[cfg(feature = "testing")]
            Wire::Memory(_) => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Wire::Socket(socket) => socket.try_write(bytes),
            #[cfg(feature = "testing")]
            Wire::Memory(memory) => Ok(memory.write(bytes)),
        }
    }

    pub(super) fn write_both(&self, head: &[u8], body: &[u8]) -> io::Result<usize> {
        match self {
            Wire::Socket(socket) => socket.try_write_vectored(&[IoSlice::new(head), IoSlice::new(body)]),
            #[cfg(feature = "testing")]
            Wire::Memory(memory) => Ok(memory.write(head) + memory.write(body)),
        }
    }
}

/// The other end of a connection without a socket.
#[cfg(feature = "testing")]
pub(crate) mod memory {
    use std::cell::RefCell;
    use std::net::SocketAddr;
    use std::rc::Rc;

    /// Takes whatever is written; requests are handed to the connection itself.
    pub(crate) struct Memory {
        pub(crate) remote: SocketAddr,
        pub(crate) local: SocketAddr,
        pub(crate) written: Rc<RefCell<Vec<u8>>>,
    }

    impl Memory {
        pub(super) fn write(&self, bytes: &[u8]) -> usize {
            self.written.borrow_mut().extend_from_slice(bytes);
            bytes.len()
        }
    }
}
