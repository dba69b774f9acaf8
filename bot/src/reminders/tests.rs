use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use futures::FutureExt;
use futures::future::BoxFuture;
use prometheus_client::registry::Registry;
use proptest::prelude::*;
use tokio::sync::watch;

use super::*;
use crate::deliver::Delivery;
use crate::features::Features;
use crate::message::Place;
use crate::metrics::Metrics;
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

/// Takes what it is given, except for what is to fail first and what is to hang for ever.
#[derive(Default)]
struct TestDoor {
    told: Mutex<Vec<String>>,
    failures: Mutex<BTreeMap<String, u32>>,
    hangs: Option<&'static str>,
    hanging: watch::Sender<usize>,
}

impl Deliver for TestDoor {
    fn deliver<'a>(&'a self, delivery: &'a Delivery) -> BoxFuture<'a, Result<(), DeliverError>> {
        if self.hangs == Some(delivery.id.as_str()) {
            let hang = async {
                self.hanging.send_modify(|hanging| *hanging += 1);
                let _ends = Hanging(self);
                futures::future::pending().await
            };
            return hang.boxed();
        }
        let mut failures = self.failures.lock().unwrap();
        if let Some(left) = failures.get_mut(&delivery.id).filter(|left| **left > 0) {
            *left -= 1;
            return futures::future::ready(later(None)).boxed();
        }
        self.told.lock().unwrap().push(delivery.id.clone());
        futures::future::ready(Ok(())).boxed()
    }
}

/// While it is there, a delivery hangs.
struct Hanging<'a>(&'a TestDoor);

impl Drop for Hanging<'_> {
    fn drop(&mut self) {
        self.0.hanging.send_modify(|hanging| *hanging -= 1);
    }
}

fn reminders(store: &Store, doors: &[(Door, &Arc<TestDoor>)]) -> Reminders {
    let doors = doors.iter();
    Reminders {
        store: store.clone(),
        doors: doors
            .map(|&(door, way)| (door, Arc::clone(way) as Arc<dyn Deliver>))
            .collect(),
        metrics: ReminderMetrics::new(&mut Registry::default()),
        lease: Duration::from_mins(1),
    }
}

async fn add(store: &Store, id: &str, due: i64) {
    add_at(store, Door::Api, id, due).await;
}

async fn add_at(store: &Store, door: Door, id: &str, due: i64) {
    let place = Place::default();
    let new = NewReminder {
        id,
        door,
        place: &place,
        person: "ann",
        text: "tea",
        due,
    };
    store.add_reminder(&new, 1000).await.unwrap();
}

fn flags() -> Arc<FlagStore> {
    let metrics = Arc::new(Metrics::new(&mut Registry::default(), &[]));
    Arc::new(FlagStore::new(&[], Features::ALL_ENABLED, metrics))
}

async fn until(such: impl AsyncFn() -> bool) {
    tokio::time::timeout(Duration::from_mins(1), async {
        while !such().await {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn what_is_due_is_told_once_and_what_fails_is_kept() {
    let store = Store::of("sqlite::memory:").await.unwrap();
    let door = Arc::new(TestDoor::default());
    let replicas = [(); 2].map(|()| reminders(&store, &[(Door::Api, &door)]));
    let metrics = [&replicas[0], &replicas[1]].map(|one| one.metrics.clone());
    for n in 0..60 {
        add(&store, &format!("r{n:02}"), now_ms() - 1).await;
    }
    add(&store, "tomorrow", now_ms() + 86_400_000).await;
    // so often that its last try is not near
    door.failures.lock().unwrap().insert("r07".to_owned(), 9);
    let stop = CancellationToken::new();
    let running = replicas.map(|one| tokio::spawn(one.follow(flags(), stop.clone())));
    until(async || {
        let tried = door.failures.lock().unwrap()["r07"] < 9;
        tried && store.reminders_to_do().await.unwrap() == 2
    })
    .await;
    stop.cancel();
    for one in running {
        one.await.unwrap();
    }
    let told = door.told.lock().unwrap().clone();
    let different: BTreeSet<_> = told.iter().collect();
    assert_eq!((told.len(), different.len()), (59, 59));
    assert!(!told.contains(&"r07".to_owned()));
    let count = |event| metrics.iter().map(|one| one.counted(event)).sum::<u64>();
    assert_eq!(count(Event::Delivered), 59);
    assert!(count(Event::Retried) >= 1);
}

#[tokio::test]
async fn a_door_that_hangs_delays_no_other_and_no_one_else_at_its_own() {
    let store = Store::of("sqlite::memory:").await.unwrap();
    let page = Arc::new(TestDoor::default());
    let discord = Arc::new(TestDoor {
        hangs: Some("hangs"),
        ..TestDoor::default()
    });
    // the slow one comes first
    let doors = [(Door::Discord, &discord), (Door::Page, &page)];
    let reminders = reminders(&store, &doors);
    add_at(&store, Door::Discord, "hangs", now_ms() - 1).await;
    let stop = CancellationToken::new();
    let running = tokio::spawn(reminders.follow(flags(), stop.clone()));
    let mut hanging = discord.hanging.subscribe();
    hanging.wait_for(|hanging| *hanging == 1).await.unwrap();
    add_at(&store, Door::Page, "tea", now_ms() - 1).await;
    add_at(&store, Door::Discord, "cake", now_ms() - 1).await;
    let told = |door: &TestDoor| door.told.lock().unwrap().clone();
    until(async || told(&page) == ["tea"] && told(&discord) == ["cake"]).await;
    assert_eq!(*hanging.borrow(), 1, "they came only when it was given up");
    stop.cancel();
    running.abort();
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
