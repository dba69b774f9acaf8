//! However much fails, retries do not multiply it.

use std::sync::atomic::{AtomicU32, Ordering};

use futures::future::join_all;
use proptest::prelude::*;

use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Whatever fails how: attempts are no more than a tenth above the calls, plus the floor.
    #[test]
    fn retries_never_cascade(
        calls in prop::collection::vec((0u64..300, 0u8..10), 1..300),
        retries in 0usize..6,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut limits = Limits { retries, ..Limits::default() };
            // without the breaker, which would only make it fewer
            limits.breaker.failure_rate = 2.0;
            let api = Api::new(limits);
            let begin = Instant::now();
            let (first, attempts) = (AtomicU32::new(0), AtomicU32::new(0));
            let all = calls.iter().scan(Duration::ZERO, |at, &(gap, luck)| {
                *at += Duration::from_millis(gap);
                Some((*at, luck))
            });
            join_all(all.map(|(at, luck)| {
                let (api, first, attempts) = (&api, &first, &attempts);
                async move {
                    sleep(at).await;
                    let mut began = false;
                    let _ = api.dependency.call(Instant::now() + 9 * SECOND, || {
                        attempts.fetch_add(1, Ordering::Relaxed);
                        first.fetch_add(u32::from(!began), Ordering::Relaxed);
                        began = true;
                        async move {
                            sleep(SECOND / 50).await;
                            match luck {
                                0 => Ok(()),
                                1 => Err(Fault::limited("429")),
                                _ => Err(Fault::transient("down")),
                            }
                        }
                    }).await;
                }
            }))
            .await;
            let (first, attempts) = (first.into_inner(), attempts.into_inner());
            let floor = 1.0 + 0.1 * begin.elapsed().as_secs_f64();
            prop_assert!(f64::from(attempts) <= 1.1 * f64::from(first) + floor + 1e-6);
            prop_assert_eq!(api.metric("attempts_total", "").to_bits(), f64::from(attempts).to_bits());
            let retried = f64::from(attempts - first);
            prop_assert_eq!(api.metric("retries_total", "").to_bits(), retried.to_bits());
            Ok(())
        })?;
    }
}
