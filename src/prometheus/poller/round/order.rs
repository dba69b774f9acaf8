//! In which order a tick's queries are asked, and whose turns they take.
//!
//! The circle of a query is the namespaces whose policies ask it: nearly always one. A query that
//! several ask takes none of their turns but those of the circle that they are together. Charged to
//! one of them, it would wait for the slow queries of that one: whoever copies a query could then
//! have others wait for it. This way what a namespace is told never waits for what others ask alone.

use std::collections::HashMap;
use std::sync::Arc;

use super::Member;

/// The places of the queries with their circles: the first query of every circle, then the second of
/// every one; within a circle the first of every policy, then the second. Where there is too little
/// time for all, it is the policies with many queries that lack some.
pub(super) fn order(members: &[Member], waiting: &[Vec<usize>]) -> Vec<(usize, Arc<str>)> {
    let mut earliest = vec![usize::MAX; waiting.len()];
    for member in members {
        let places = member.places.iter();
        let places = places.flat_map(|(value, count)| std::iter::once(*value).chain(*count));
        for (n, place) in places.enumerate() {
            earliest[place] = earliest[place].min(n);
        }
    }
    let mut order: Vec<usize> = (0..waiting.len()).collect();
    order.sort_by_key(|&place| (earliest[place], waiting[place].first()));
    let mut circles: HashMap<String, (Arc<str>, usize)> = HashMap::new();
    let mut ranked = Vec::with_capacity(order.len());
    for place in order {
        let circle = circle(members, &waiting[place]);
        let (circle, asked) = circles
            .entry(circle)
            .or_insert_with_key(|circle| (Arc::from(circle.as_str()), 0));
        ranked.push((*asked, place, Arc::clone(circle)));
        *asked += 1;
    }
    ranked.sort_by_key(|(rank, ..)| *rank);
    let in_order = ranked.into_iter();
    in_order.map(|(_, place, circle)| (place, circle)).collect()
}

/// The namespaces of those who wait; none contains a slash. Members come in the order of their keys.
fn circle(members: &[Member], waiting: &[usize]) -> String {
    let namespaces = waiting.iter().map(|&n| members[n].key.namespace.as_str());
    let mut namespaces: Vec<&str> = namespaces.collect();
    namespaces.dedup();
    namespaces.join("/")
}

#[cfg(test)]
mod tests {
    use super::super::super::{PolicyKey, SubscriptionId};
    use super::super::Plan;
    use crate::prometheus::query::Query;
    use crate::prometheus::signals::{Count, SignalQueries};
    use std::sync::Arc;

    fn plan(policies: &[(&str, &str, &[&str])]) -> Vec<(String, String)> {
        let policies: Vec<(PolicyKey, Arc<[SignalQueries]>)> = policies
            .iter()
            .map(|(namespace, name, queries)| {
                let key = PolicyKey {
                    namespace: (*namespace).to_owned(),
                    name: (*name).to_owned(),
                };
                (key, queries.iter().map(|query| signal(query)).collect())
            })
            .collect();
        let id = SubscriptionId(0);
        let plan = Plan::new(policies.iter().map(|(key, signals)| (key, id, signals)));
        let asked = plan.order.iter();
        asked
            .map(|(place, circle)| (plan.queries[*place].to_string(), circle.to_string()))
            .collect()
    }

    /// `value`, or `value/count`.
    fn signal(text: &str) -> SignalQueries {
        let (value, count) = text.split_once('/').unzip();
        SignalQueries {
            name: "s".to_owned(),
            value: Query::unchecked(value.unwrap_or(text)),
            count: count.map(|count| Count {
                query: Query::unchecked(count),
                at_least: 1.0,
            }),
            top: None,
            samples: None,
            errors_exist: None,
            window: None,
        }
    }

    #[test]
    fn nobody_stands_behind_all_queries_of_another() {
        let asked = plan(&[
            ("aaa", "p", &["a1", "a2/n", "a3"]),
            ("aaa", "q", &["b1", "b2"]),
            ("bots", "p", &["c1", "shared"]),
            ("bots", "q", &["shared", "c2"]),
            ("zoo", "p", &["shared", "d1"]),
        ]);
        let expected = [
            ("a1", "aaa"),
            ("c1", "bots"),
            ("shared", "bots/zoo"),
            ("d1", "zoo"),
            ("b1", "aaa"),
            ("c2", "bots"),
            ("a2", "aaa"),
            ("b2", "aaa"),
            ("n", "aaa"),
            ("a3", "aaa"),
        ];
        let asked: Vec<_> = asked
            .iter()
            .map(|(q, c)| (q.as_str(), c.as_str()))
            .collect();
        assert_eq!(asked, expected);
    }
}
