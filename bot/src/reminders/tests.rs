use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use futures::FutureExt;
use futures::future::BoxFuture;
use proptest::prelude::*;

use super::*;
use crate::deliver::Delivery;
use crate::message::Place;
use crate::store::NewReminder;

fn later(after: Option<u64>) -> Result<(), DeliverError> {
    Err(DeliverError::Later {
        reason: "busy".to_owned(),
        after: after.map(Duration::from_secs),
    })
}

#[test]
fn tries_are_further_and_further_apart_and_come_to_an_end() {
    let wait_ms = |tries, jitter| match next(later(None), tries, jitter) {
        Next::Again(wait) => wait.as_millis(),
        over @ Next::Over(_) => panic!("{over:?}"),
    };
    assert_eq!(
        [1, 2, 3, 9, 17].map(|n| wait_ms(n, 1.0)),
        [2000, 4000, 8000, 512_000, 600_000]
    );
    assert_eq!([1, 2, 17].map(|n| wait_ms(n, 0.0)), [1000, 2000, 300_000]);
    assert_eq!(
        next(later(None), MOST_TRIES, 0.5),
        Next::Over(Event::GivenUp)
    );
    assert_eq!(
        next(later(Some(90)), 1, 1.0),
        Next::Again(Duration::from_secs(90))
    );
    assert_eq!(next(Ok(()), 1, 0.5), Next::Over(Event::Delivered));
    let never = Err(DeliverError::Never("the channel is gone".to_owned()));
    assert_eq!(next(never, 1, 0.5), Next::Over(Event::GivenUp));
}

/// Takes what it is given, except for what is to fail first.
#[derive(Default)]
struct TestDoor {
    told: Mutex<Vec<String>>,
    failures: Mutex<BTreeMap<String, u32>>,
}

impl Deliver for TestDoor {
    fn deliver<'a>(&'a self, delivery: &'a Delivery) -> BoxFuture<'a, Result<(), DeliverError>> {
        let mut failures = self.failures.lock().unwrap();
        if let Some(left) = failures.get_mut(&delivery.id).filter(|left| **left > 0) {
            *left -= 1;
            return futures::future::ready(later(None)).boxed();
        }
        self.told.lock().unwrap().push(delivery.id.clone());
        futures::future::ready(Ok(())).boxed()
    }
}

fn reminders(store: &Store, door: &Arc<TestDoor>) -> Reminders {
    Reminders {
        store: store.clone(),
        doors: vec![(Door::Api, Arc::clone(door) as Arc<dyn Deliver>)],
        metrics: ReminderMetrics::new(&mut Registry::default()),
        lease: Duration::from_mins(1),
    }
}

async fn add(store: &Store, id: &str, due: i64) {
    let place = Place::default();
    let new = NewReminder {
        id,
        door: Door::Api,
        place: &place,
        person: "ann",
        text: "tea",
        due,
    };
    store.add_reminder(&new, 1000).await.unwrap();
}

#[tokio::test]
async fn what_is_due_is_told_once_and_what_fails_is_kept() {
    let store = Store::of("sqlite::memory:").await.unwrap();
    let door = Arc::new(TestDoor::default());
    let (one, two) = (reminders(&store, &door), reminders(&store, &door));
    for n in 0..20 {
        add(&store, &format!("r{n:02}"), now_ms() - 1).await;
    }
    add(&store, "tomorrow", now_ms() + 86_400_000).await;
    door.failures.lock().unwrap().insert("r07".to_owned(), 1);
    let (a, b) = tokio::join!(one.deliver_due(), two.deliver_due());
    assert!(
        a.unwrap() || b.unwrap(),
        "a full batch asks for another look"
    );
    one.deliver_due().await.unwrap();
    let told: BTreeSet<String> = door.told.lock().unwrap().drain(..).collect();
    assert_eq!(told.len(), 19);
    assert!(!told.contains("r07"));
    assert_eq!(one.metrics.to_do.get(), 2);
    let count = |event: Event| {
        let labels = Labels {
            event: event.name(),
        };
        [&one, &two]
            .map(|r| r.metrics.events.get_or_create(&labels).get())
            .iter()
            .sum::<u64>()
    };
    assert_eq!((count(Event::Delivered), count(Event::Retried)), (19, 1));
}

/// One step of two replicas that claim, tell, write down and crash as they like.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Time passes.
    Wait(i64),
    Claim(usize),
    /// Tells the door the first that it has claimed.
    Tell(usize),
    /// Writes down the first that was told.
    End(usize),
    /// Forgets everything.
    Crash(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let replica = 0..2_usize;
    prop_oneof![
        (1..40_i64).prop_map(Step::Wait),
        replica.clone().prop_map(Step::Claim),
        replica.clone().prop_map(Step::Tell),
        replica.clone().prop_map(Step::Tell),
        replica.clone().prop_map(Step::End),
        replica.clone().prop_map(Step::End),
        replica.prop_map(Step::Crash),
    ]
}

const LEASE: i64 = 60;

/// What a replica has in hand: reminders claimed until then, and ids told and not written down.
#[derive(Default)]
struct Hand {
    claimed: Vec<(Due, i64)>,
    told: Vec<String>,
}

async fn play(steps: Vec<Step>) {
    let store = Store::of("sqlite::memory:").await.unwrap();
    let ids: Vec<String> = (0..5).map(|n| format!("r{n}")).collect();
    for (id, due) in ids.iter().zip([0, 10, 20, 30, 90]) {
        add(&store, id, due).await;
    }
    let mut hands = [Hand::default(), Hand::default()];
    let (mut now, mut told) = (0, BTreeSet::new());
    let mut ended = BTreeSet::new();
    for step in steps {
        match step {
            Step::Wait(time) => now += time,
            Step::Claim(r) => {
                for due in store
                    .claim_reminders(Door::Api, now, now + LEASE, 3)
                    .await
                    .unwrap()
                {
                    let id = &due.delivery.id;
                    let held = hands.iter().flat_map(|hand| &hand.claimed);
                    let twice =
                        held.filter(|(other, until)| other.delivery.id == *id && *until > now);
                    assert_eq!(twice.count(), 0, "{id} is claimed twice at {now}");
                    assert!(!ended.contains(id), "{id} has ended before {now}");
                    hands[r].claimed.push((due, now + LEASE));
                }
            }
            Step::Tell(r) => {
                // whoever comes too late with it leaves it to the next
                hands[r].claimed.retain(|(_, until)| *until > now);
                if let Some((due, _)) = hands[r].claimed.pop() {
                    told.insert(due.delivery.id.clone());
                    hands[r].told.push(due.delivery.id);
                }
            }
            Step::End(r) => {
                if let Some(id) = hands[r].told.pop() {
                    store.end_reminder(&id, now + 1).await.unwrap();
                    ended.insert(id);
                }
            }
            Step::Crash(r) => {
                hands[r] = Hand::default();
            }
        }
    }
    // whatever has happened: a process that stays up delivers all of it in the end
    for _ in 0..4 {
        now += 1000;
        for due in store
            .claim_reminders(Door::Api, now, now + LEASE, 9)
            .await
            .unwrap()
        {
            told.insert(due.delivery.id.clone());
            store.end_reminder(&due.delivery.id, now).await.unwrap();
        }
    }
    assert!(ids.iter().all(|id| told.contains(id)), "{told:?}");
    assert_eq!(store.reminders_to_do().await.unwrap(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn no_claim_is_shared_and_nothing_is_lost(steps in prop::collection::vec(step(), 0..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(play(steps));
    }
}
