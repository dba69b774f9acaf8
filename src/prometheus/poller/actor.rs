//! The task of a source: it alone knows who has subscribed, starts rounds and hands out readings.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep};

use super::super::answer::Answer;
use super::super::client::{Asker, Client, Wait};
use super::super::clock::Clock;
use super::super::metrics::PollerMetrics;
use super::counsel::{Counsel, Heard};
use super::round::{Plan, Ready, Round};
use super::schedule::Schedule;
use super::{Observation, PolicyKey, PollerEvent, Subscription, SubscriptionId};
use crate::time::{Span, Time};

/// The longest sleep: after it the clock is looked at, which may have been set, or have stood still
/// with the whole machine.
const NAP: Duration = Duration::from_millis(500);

/// The shortest interval that is served.
const SHORTEST: Span = Span::from_millis(10);

pub(super) enum Command {
    Subscribe(PolicyKey, SubscriptionId, Subscription),
    Unsubscribe(PolicyKey),
    AskAt(PolicyKey, Time),
}

pub(super) struct Actor<C> {
    client: Arc<Client>,
    out: mpsc::Sender<PollerEvent>,
    metrics: PollerMetrics,
    clock: C,
    policies: BTreeMap<PolicyKey, Policy>,
    /// Who ticks together; made when it is needed, thrown away when somebody comes or goes.
    plans: HashMap<Span, Arc<Plan>>,
    schedule: Schedule,
    rounds: BTreeMap<u64, UnderWay>,
    next_round: u64,
    asked: JoinSet<(u64, usize, Answer)>,
    counsel: Counsel,
}

struct Policy {
    id: SubscriptionId,
    subscription: Subscription,
    /// The time of the last observation that was handed out.
    last: Option<Time>,
}

struct UnderWay {
    round: Round,
    /// Of a regular tick.
    interval: Option<Span>,
    deadline: Instant,
}

impl<C: Clock> Actor<C> {
    pub(super) fn new(
        client: Arc<Client>,
        out: mpsc::Sender<PollerEvent>,
        metrics: PollerMetrics,
        clock: C,
    ) -> Self {
        Self {
            counsel: Counsel::new(Arc::clone(&client)),
            client,
            out,
            metrics,
            clock,
            policies: BTreeMap::new(),
            plans: HashMap::new(),
            schedule: Schedule::default(),
            rounds: BTreeMap::new(),
            next_round: 0,
            asked: JoinSet::new(),
        }
    }

    /// Works until nobody can subscribe any more, or nobody listens.
    pub(super) async fn run(mut self, mut commands: mpsc::UnboundedReceiver<Command>) {
        loop {
            let nap = self.nap();
            tokio::select! {
                biased;
                command = commands.recv() => match command {
                    Some(command) => self.obey(command),
                    None => return,
                },
                Some(done) = self.asked.join_next() => self.answered(done).await,
                Some(heard) = self.counsel.heard() => self.pass_on(heard).await,
                () = self.out.closed() => return,
                () = sleep(nap) => {}
            }
            self.tick().await;
        }
    }

    /// Until something is due.
    fn nap(&self) -> Duration {
        let due = self
            .schedule
            .next()
            .map(|at| (at - self.clock.now()).to_duration());
        let counsel = self.counsel.due_in(Instant::now());
        [due, counsel]
            .into_iter()
            .flatten()
            .fold(NAP, Duration::min)
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Subscribe(key, id, mut subscription) => {
                subscription.interval = subscription.interval.max(SHORTEST);
                self.counsel.subscribe(&key, id, &subscription);
                let interval = subscription.interval;
                let policy = Policy {
                    id,
                    subscription,
                    last: self.policies.get(&key).and_then(|p| p.last),
                };
                let before = self.policies.insert(key.clone(), policy);
                self.schedule.forget(&key);
                self.schedule.add(interval, self.clock.now());
                self.plans.remove(&interval);
                if let Some(before) = before {
                    self.left(before.subscription.interval);
                }
            }
            Command::Unsubscribe(key) => {
                self.counsel.unsubscribe(&key);
                self.schedule.forget(&key);
                if let Some(policy) = self.policies.remove(&key) {
                    self.left(policy.subscription.interval);
                }
            }
            Command::AskAt(key, at) => {
                if let Some(policy) = self.policies.get(&key) {
                    // what replaces an earlier time also does so where it asks nothing itself
                    self.schedule.forget(&key);
                    let interval = policy.subscription.interval;
                    if at.last_tick(interval) != at && policy.last.is_none_or(|last| last < at) {
                        self.schedule.ask_at(key, at);
                    }
                }
            }
        }
    }

    /// Somebody left an interval: it is no longer served if that was the last.
    fn left(&mut self, interval: Span) {
        self.plans.remove(&interval);
        if !self
            .policies
            .values()
            .any(|p| p.subscription.interval == interval)
        {
            self.schedule.remove(interval);
        }
    }

    /// Starts what is due, ends what is overdue.
    async fn tick(&mut self) {
        self.counsel.start_if_due(self.clock.now());
        let now = self.clock.now();
        let overdue = self.rounds.values().any(|r| r.deadline < Instant::now());
        if !overdue
            && self.schedule.next().is_none_or(|at| at > now)
            && !self.schedule.is_ahead(now)
        {
            return;
        }
        // answers that are here already are not late
        while let Some(done) = self.asked.try_join_next() {
            self.answered(done).await;
        }
        let due = self.schedule.due(now);
        let label = super::super::metrics::OfSource::named(&self.client.source().name);
        self.metrics
            .skipped_ticks
            .get_or_create(&label)
            .inc_by(due.skipped);
        if !due.again.is_empty() {
            self.set_back(&due.again, now);
        }
        let starting: Vec<Span> = due.regular.iter().map(|(interval, _)| *interval).collect();
        self.give_up(&starting).await;
        for (interval, at) in due.regular {
            let plan = self.plan(interval);
            let left = at + interval - now;
            self.start(at, plan, Some(interval), left);
        }
        for (key, at) in due.extra {
            if let Some(policy) = self.policies.get(&key)
                && policy.last.is_none_or(|last| last < at)
            {
                let alone = (&key, policy.id, &policy.subscription.signals);
                let plan = Arc::new(Plan::new(std::iter::once(alone)));
                self.start(at, plan, None, policy.subscription.interval);
            }
        }
    }

    /// The times of these intervals come again. An answer to a tick that has not come yet is nobody's:
    /// handed out, it would make all ticks up to then look overtaken.
    fn set_back(&mut self, again: &[Span], now: Time) {
        self.rounds.retain(|_, under_way| under_way.round.at <= now);
        for policy in self.policies.values_mut() {
            if again.contains(&policy.subscription.interval) {
                policy.last = None;
            }
        }
    }

    fn plan(&mut self, interval: Span) -> Arc<Plan> {
        let policies = &self.policies;
        let plan = self.plans.entry(interval).or_insert_with(|| {
            let members = policies
                .iter()
                .filter(|(_, p)| p.subscription.interval == interval)
                .map(|(key, p)| (key, p.id, &p.subscription.signals));
            Arc::new(Plan::new(members))
        });
        Arc::clone(plan)
    }

    /// Asks all queries of a plan, each in a task of its own: an answer is not late because we are.
    fn start(&mut self, at: Time, plan: Arc<Plan>, interval: Option<Span>, left: Span) {
        let source = self.client.source();
        let deadline = Instant::now() + source.timeout.min(left).to_duration();
        let time = at - source.evaluation_delay;
        let number = self.next_round;
        self.next_round += 1;
        for (place, circle) in plan.order.iter().cloned() {
            let (client, query) = (Arc::clone(&self.client), plan.queries[place].clone());
            self.asked.spawn(async move {
                let asker = Asker {
                    circle: Some(&circle),
                    wait: Wait::Until(deadline),
                };
                let answer = client.instant_as(asker, &query, time).await;
                (number, place, answer)
            });
        }
        let under_way = UnderWay {
            round: Round::new(at, plan),
            interval,
            // the tasks keep the deadline; this is for one that died
            deadline: deadline + NAP,
        };
        self.rounds.insert(number, under_way);
    }

    /// Ends the rounds of intervals that start anew, and those that are long over their time.
    async fn give_up(&mut self, starting: &[Span]) {
        let now = Instant::now();
        let over: Vec<u64> = self
            .rounds
            .iter()
            .filter(|(_, r)| r.deadline < now || r.interval.is_some_and(|i| starting.contains(&i)))
            .map(|(number, _)| *number)
            .collect();
        for number in over {
            if let Some(mut under_way) = self.rounds.remove(&number) {
                let ready = under_way.round.give_up();
                self.hand_out(under_way.round.at, ready).await;
            }
        }
    }

    async fn answered(&mut self, done: Result<(u64, usize, Answer), JoinError>) {
        // a task that died is noticed when its round is overdue
        let Ok((number, place, answer)) = done else {
            return;
        };
        let Some(under_way) = self.rounds.get_mut(&number) else {
            return;
        };
        let at = under_way.round.at;
        let ready = under_way.round.answered(place, answer);
        if under_way.round.is_over() {
            self.rounds.remove(&number);
        }
        self.hand_out(at, ready).await;
    }

    async fn hand_out(&mut self, at: Time, ready: Vec<Ready>) {
        for Ready { key, id, readings } in ready {
            let Some(policy) = self.policies.get_mut(&key) else {
                continue;
            };
            // asked for an older spec, or overtaken by a newer tick
            if policy.id != id || policy.last.is_some_and(|last| at <= last) {
                continue;
            }
            policy.last = Some(at);
            let observation = Observation {
                key,
                subscription: id,
                at,
                readings,
            };
            // an error says that nobody listens, which ends the loop
            let _ = self.out.send(PollerEvent::Observation(observation)).await;
        }
    }

    async fn pass_on(&mut self, heard: Vec<Heard>) {
        for Heard { key, id, advice } in heard {
            let event = PollerEvent::Advice {
                key,
                subscription: id,
                advice,
            };
            let _ = self.out.send(event).await;
        }
    }
}
