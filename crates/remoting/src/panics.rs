//! What does a panic in a handler cost? That request, and no other.

use crate::message::Answer;
use roxmq_protocol::code;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::Poll;

/// A handler has panicked; the log says where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the request failed inside the server; its log says where")]
pub struct Panicked;

impl From<Panicked> for Answer {
    fn from(panicked: Panicked) -> Answer {
        Answer::refused(code::SYSTEM_ERROR, panicked.to_string())
    }
}

/// Runs a handler whose panic is to be answered like any other failure.
///
/// # Errors
/// When it panics.
pub fn guarded<T>(handler: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(handler)).map_err(|_| Panicked)
}

/// As [`guarded`], for an answer that comes later.
///
/// # Errors
/// When it panics.
pub async fn guarded_later<T>(mut handler: Pin<Box<dyn Future<Output = T> + Send>>) -> Result<T, Panicked> {
    std::future::poll_fn(|context| match guarded(|| handler.as_mut().poll(context)) {
        Ok(polled) => polled.map(Ok),
        Err(panicked) => Poll::Ready(Err(panicked)),
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::task::{Context, Waker};

    #[test]
    fn a_panic_is_an_answer_whenever_it_comes() {
        let later = |polls_before: usize| {
            let mut left = polls_before;
            let mut waits = pin!(guarded_later(Box::pin(std::future::poll_fn(move |_| {
                assert_ne!(left, 0, "planted");
                left -= 1;
                Poll::<()>::Pending
            }))));
            let mut context = Context::from_waker(Waker::noop());
            (0..polls_before).for_each(|_| assert!(waits.as_mut().poll(&mut context).is_pending()));
            waits.as_mut().poll(&mut context)
        };
        assert_eq!([later(0), later(2)], [Poll::Ready(Err(Panicked)); 2]);
        assert_eq!(guarded(|| 5), Ok(5));
        assert_eq!(guarded(|| panic!("planted")), Err::<(), _>(Panicked));
        assert_eq!(Answer::from(Panicked).code, code::SYSTEM_ERROR);
    }
}
