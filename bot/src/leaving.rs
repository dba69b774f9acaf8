//! For tests: whoever waits may go away at any moment, and then what is under way is dropped where it stands.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

/// What the work gives; none where it was dropped, at the wait of that number.
pub(crate) async fn leave_at<T>(wait: usize, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    let mut seen = 0;
    poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending if seen == wait => Poll::Ready(None),
        Poll::Pending => {
            seen += 1;
            Poll::Pending
        }
    })
    .await
}
