//! Many policies' queries, each asked once, and their answers handed back to all who asked.

mod order;

use std::collections::HashMap;
use std::sync::Arc;

use super::super::answer::Answer;
use super::super::observed::Observed;
use super::super::query::Query;
use super::super::signals::SignalQueries;
use super::{PolicyKey, SubscriptionId};
use crate::decide::Unknown;
use crate::time::Time;

/// A list of different queries, and for each signal that was entered the places of its own.
#[derive(Debug, Default)]
pub(super) struct Questions {
    queries: Vec<Query>,
    places: HashMap<Query, usize>,
    signals: Vec<(usize, Option<usize>)>,
}

impl Questions {
    pub(super) fn of(signals: &[SignalQueries]) -> Self {
        let mut questions = Self::default();
        questions.enter(signals);
        questions
    }

    fn enter(&mut self, signals: &[SignalQueries]) {
        for signal in signals {
            let value = self.place(&signal.value);
            let count = signal.count.as_ref().map(|count| self.place(&count.query));
            self.signals.push((value, count));
        }
    }

    fn place(&mut self, query: &Query) -> usize {
        if let Some(place) = self.places.get(query) {
            return *place;
        }
        let place = self.queries.len();
        self.queries.push(query.clone());
        self.places.insert(query.clone(), place);
        place
    }

    pub(super) fn queries(&self) -> &[Query] {
        &self.queries
    }

    /// Something for each signal, out of the places of its value and count.
    pub(super) fn readings<T>(
        &self,
        signals: &[SignalQueries],
        make: impl Fn(usize, Option<(usize, f64)>) -> T,
    ) -> Vec<T> {
        make_all(&self.signals, signals, make)
    }
}

fn make_all<T>(
    places: &[(usize, Option<usize>)],
    signals: &[SignalQueries],
    make: impl Fn(usize, Option<(usize, f64)>) -> T,
) -> Vec<T> {
    let with_least = signals.iter().zip(places).map(|(signal, (value, count))| {
        let least = signal.count.as_ref().map(|count| count.at_least);
        make(*value, count.zip(least))
    });
    with_least.collect()
}

/// Who asks at a tick, and what: made once for as long as nobody comes or goes.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) queries: Vec<Query>,
    members: Vec<Member>,
    /// For each query the members that wait for it, each once.
    waiting: Vec<Vec<usize>>,
    /// The queries in the order in which to ask them, by place, and whose turn each takes.
    pub(super) order: Vec<(usize, Arc<str>)>,
}

#[derive(Debug)]
struct Member {
    key: PolicyKey,
    id: SubscriptionId,
    signals: Arc<[SignalQueries]>,
    places: Vec<(usize, Option<usize>)>,
    /// How many different queries it waits for.
    needs: usize,
}

impl Plan {
    pub(super) fn new<'a>(
        policies: impl Iterator<Item = (&'a PolicyKey, SubscriptionId, &'a Arc<[SignalQueries]>)>,
    ) -> Self {
        let mut questions = Questions::default();
        let mut members = Vec::new();
        let mut waiting: Vec<Vec<usize>> = Vec::new();
        for (key, id, signals) in policies {
            questions.enter(signals);
            let places = std::mem::take(&mut questions.signals);
            waiting.resize_with(questions.queries.len(), Vec::new);
            let member = members.len();
            let mut needs = 0;
            for (value, count) in &places {
                for place in [Some(*value), *count].into_iter().flatten() {
                    if waiting[place].last() != Some(&member) {
                        waiting[place].push(member);
                        needs += 1;
                    }
                }
            }
            members.push(Member {
                key: key.clone(),
                id,
                signals: Arc::clone(signals),
                places,
                needs,
            });
        }
        Self {
            order: order::order(&members, &waiting),
            queries: questions.queries,
            members,
            waiting,
        }
    }
}

/// A tick under way.
#[derive(Debug)]
pub(super) struct Round {
    pub(super) at: Time,
    plan: Arc<Plan>,
    answers: Vec<Option<Answer>>,
    /// For each member how many answers it still waits for.
    missing: Vec<usize>,
    open: usize,
}

/// A policy's readings, ready to be handed over.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) key: PolicyKey,
    pub(super) id: SubscriptionId,
    pub(super) readings: Vec<Observed>,
}

impl Round {
    pub(super) fn new(at: Time, plan: Arc<Plan>) -> Self {
        Self {
            at,
            answers: vec![None; plan.queries.len()],
            missing: plan.members.iter().map(|m| m.needs).collect(),
            open: plan.queries.len(),
            plan,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.open == 0
    }

    /// Enters an answer; the policies that waited for nothing else are ready.
    pub(super) fn answered(&mut self, place: usize, answer: Answer) -> Vec<Ready> {
        if self.answers[place].is_some() {
            return Vec::new();
        }
        self.answers[place] = Some(answer);
        self.open -= 1;
        let mut ready = Vec::new();
        for &member in &self.plan.waiting[place] {
            self.missing[member] -= 1;
            if self.missing[member] == 0 {
                ready.push(self.ready(member));
            }
        }
        ready
    }

    /// Ends the round: what is not answered is `Timeout`.
    pub(super) fn give_up(&mut self) -> Vec<Ready> {
        let late = Answer::unknown(Unknown::Timeout, "no answer by the next tick");
        let places = 0..self.answers.len();
        places
            .flat_map(|place| self.answered(place, late.clone()))
            .collect()
    }

    fn ready(&self, member: usize) -> Ready {
        let member = &self.plan.members[member];
        // a member is ready when all its answers are in
        let none = Answer::unknown(Unknown::Timeout, "");
        let answer = |place: usize| self.answers[place].as_ref().unwrap_or(&none);
        let readings = make_all(&member.places, &member.signals, |value, count| {
            Observed::new(
                answer(value),
                count.map(|(count, least)| (answer(count), least)),
            )
        });
        Ready {
            key: member.key.clone(),
            id: member.id,
            readings,
        }
    }
}
