//! What do the connections of a shard share in a turn?

use crate::mailbox::ShardHandle;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// Bytes read from one socket in one turn at most; the buffer is shared by all connections of a shard.
const SCRATCH_BYTES: usize = 256 * 1024;

/// Shared by a shard and its connections (`C`). Lives on the shard's thread.
pub(crate) struct Turn<C> {
    handle: ShardHandle,
    /// Bytes read from a socket, before their frames are handed over.
    pub(crate) scratch: RefCell<Box<[u8]>>,
    written_to: RefCell<Vec<Rc<C>>>,
    woken: Cell<bool>,
}

impl<C> Turn<C> {
    pub(crate) fn new(handle: ShardHandle) -> Rc<Turn<C>> {
        Rc::new(Turn {
            handle,
            scratch: RefCell::new(vec![0; SCRATCH_BYTES].into_boxed_slice()),
            written_to: RefCell::default(),
            woken: Cell::new(false),
        })
    }

    pub(crate) fn handle(&self) -> ShardHandle {
        self.handle.clone()
    }

    /// Has the turn end after the connections that are ready now.
    pub(crate) fn wake(&self) {
        if !self.woken.replace(true) {
            self.handle.wake();
        }
    }

    /// From here on, the next turn has to be asked for.
    pub(crate) fn begins(&self) {
        self.woken.set(false);
    }

    /// A connection has answers that are written at the end of the turn.
    pub(crate) fn written_to(&self, connection: Rc<C>) {
        self.written_to.borrow_mut().push(connection);
        self.wake();
    }

    /// Takes every connection with answers off the list.
    pub(crate) fn for_each_written_to(&self, write: impl Fn(Rc<C>)) {
        // Writing wakes no other task of this thread, so the list cannot grow meanwhile; its buffer is used again in the next turn.
        let mut list = self.written_to.take();
        list.drain(..).for_each(write);
        let mut slot = self.written_to.borrow_mut();
        if slot.is_empty() {
            *slot = list;
        }
    }
}
