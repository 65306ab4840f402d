//! How do bytes get from and to the other end? The only file that touches a connection's socket.

use crate::message::canonical;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use tokio::net::TcpStream;

/// One accepted socket.
pub(super) struct Wire(TcpStream);

impl Wire {
    pub(super) fn new(stream: TcpStream) -> Wire {
        Wire(stream)
    }

    /// Who is at the other end.
    pub(super) fn remote(&self) -> io::Result<SocketAddr> {
        self.0.peer_addr().map(canonical)
    }

    /// Which of our addresses the other end dialled.
    pub(super) fn local(&self) -> io::Result<SocketAddr> {
        self.0.local_addr().map(canonical)
    }

    pub(super) async fn readable(&self) -> io::Result<()> {
        self.0.readable().await
    }

    pub(super) async fn writable(&self) -> io::Result<()> {
        self.0.writable().await
    }

    pub(super) fn read(&self, into: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(into)
    }

    /// Appends as much to `into` as it has room for.
    pub(super) fn read_behind(&self, into: &mut Vec<u8>) -> io::Result<usize> {
        self.0.try_read_buf(into)
    }

    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    pub(super) fn write_both(&self, head: &[u8], body: &[u8]) -> io::Result<usize> {
        self.0.try_write_vectored(&[IoSlice::new(head), IoSlice::new(body)])
    }
}
