use super::*;

const LEASE: Duration = Duration::from_secs(15);
const RENEW: Duration = Duration::from_secs(10);

fn candidate(me: &str) -> Candidate {
    let timing = Timing::new(LEASE, RENEW, Duration::from_secs(2)).unwrap();
    Candidate::new(me.to_owned(), timing)
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn wall(secs: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + secs).unwrap()
}

/// What a candidate writes when it sees this; panics where it writes nothing.
fn writes(candidate: &mut Candidate, found: Option<&LeaseSpec>, at: u64) -> LeaseSpec {
    match candidate.seen(found, secs(at), wall(0)) {
        Next::Write(record) => *record,
        other => panic!("{other:?}"),
    }
}

/// A candidate that has led since 100 s, and its record.
fn leader(me: &str) -> (Candidate, LeaseSpec) {
    let mut leader = candidate(me);
    let released = released();
    let record = writes(&mut leader, Some(&released), 100);
    leader.won(secs(100), secs(101));
    (leader, record)
}

fn released() -> LeaseSpec {
    LeaseSpec {
        holder_identity: Some(String::new()),
        lease_duration_seconds: Some(1),
        lease_transitions: Some(4),
        ..LeaseSpec::default()
    }
}

#[test]
fn a_released_lease_is_taken_and_acted_on_at_once() {
    let (leader, record) = leader("a");
    assert_eq!(record.holder_identity.as_deref(), Some("a"));
    assert_eq!(record.lease_duration_seconds, Some(15));
    assert_eq!(record.lease_transitions, Some(5));
    assert_eq!(record.acquire_time, record.renew_time);
    let lead = Lead {
        from: secs(101),
        until: secs(110),
    };
    // counted from when the write began, not from its answer
    assert_eq!(leader.lead(), Some(lead));
}

#[test]
fn a_renewal_keeps_when_it_was_acquired() {
    let (mut leader, record) = leader("a");
    let Next::Write(renewed) = leader.seen(Some(&record), secs(103), wall(3)) else {
        panic!("a leader renews");
    };
    leader.won(secs(103), secs(104));
    assert_eq!(renewed.acquire_time, record.acquire_time);
    assert_eq!(renewed.renew_time, Some(MicroTime(wall(3))));
    assert_eq!(renewed.lease_transitions, record.lease_transitions);
    assert_eq!(leader.lead().unwrap().until, secs(113));
    assert_eq!(leader.lead().unwrap().from, secs(101));
}

#[test]
fn a_leader_is_waited_for_from_when_its_lease_was_seen_to_change() {
    let (_, record) = leader("a");
    let mut other = candidate("b");
    assert_eq!(
        other.seen(Some(&record), secs(7), wall(0)),
        Next::Wait(secs(22))
    );
    assert_eq!(
        other.seen(Some(&record), secs(20), wall(0)),
        Next::Wait(secs(22))
    );
    let renewed = LeaseSpec {
        renew_time: Some(MicroTime(wall(9))),
        ..record
    };
    assert_eq!(
        other.seen(Some(&renewed), secs(21), wall(0)),
        Next::Wait(secs(36))
    );
    assert_eq!(other.leader(), Some("a"));
    let taken = writes(&mut other, Some(&renewed), 36);
    assert_eq!(taken.holder_identity.as_deref(), Some("b"));
    assert_eq!(taken.lease_transitions, Some(6));
    other.won(secs(36), secs(36));
    assert_eq!(other.lead().unwrap().from, secs(36));
}

#[test]
fn the_longer_lease_counts_unless_it_is_beyond_all_bounds() {
    for (said, waited) in [
        (Some(40), 40),
        (Some(15), 15),
        (Some(1), 15),
        (Some(0), 15),
        (Some(-7), 15),
        (Some(1_000_000), 15),
        (None, 15),
    ] {
        let record = LeaseSpec {
            holder_identity: Some("a".to_owned()),
            lease_duration_seconds: said,
            ..LeaseSpec::default()
        };
        let next = candidate("b").seen(Some(&record), secs(100), wall(0));
        assert_eq!(next, Next::Wait(secs(100 + waited)), "{said:?}");
    }
}

/// Somebody may have deleted it under a leader that does not know yet.
#[test]
fn a_lease_that_is_gone_is_taken_but_not_acted_on_yet() {
    let mut first = candidate("a");
    let record = writes(&mut first, None, 50);
    first.won(secs(50), secs(51));
    assert_eq!(record.lease_transitions, Some(0));
    assert_eq!(first.lead().unwrap().from, secs(66));
    // and renewing does not put it off
    writes(&mut first, Some(&record), 53);
    first.won(secs(53), secs(53));
    assert_eq!(first.lead().unwrap().from, secs(66));
}

/// Another one may have made it anew, and somebody deleted that one, too.
#[test]
fn a_leader_whose_lease_is_gone_has_lost() {
    let (mut leader, _) = leader("a");
    assert_eq!(leader.seen(None, secs(103), wall(0)), Next::Lost);
}

/// Whoever takes the holder out by hand asks for another leader; the old one may not have noticed.
#[test]
fn a_holder_taken_out_by_hand_is_waited_for() {
    let (mut leader, record) = leader("a");
    let cleared = LeaseSpec {
        holder_identity: Some(String::new()),
        ..record
    };
    assert_eq!(leader.seen(Some(&cleared), secs(102), wall(0)), Next::Lost);
    let next = candidate("b").seen(Some(&cleared), secs(0), wall(0));
    assert_eq!(next, Next::Wait(secs(15)));
}

#[test]
fn our_name_written_by_somebody_else_is_not_ours() {
    let (_, record) = leader("a");
    let forged = LeaseSpec {
        holder_identity: Some("b".to_owned()),
        ..record
    };
    let next = candidate("b").seen(Some(&forged), secs(0), wall(0));
    assert_eq!(next, Next::Wait(secs(15)));
}

#[test]
fn a_write_whose_answer_was_lost_is_known_again() {
    let mut a = candidate("a");
    let record = writes(&mut a, Some(&released()), 10);
    let record = writes(&mut a, Some(&record), 13);
    a.won(secs(13), secs(13));
    assert_eq!(record.lease_transitions, Some(5));
    assert_eq!(a.lead().unwrap().from, secs(13));

    let mut b = candidate("b");
    let created = writes(&mut b, None, 10);
    writes(&mut b, Some(&created), 13);
    b.won(secs(13), secs(13));
    assert_eq!(
        b.lead().unwrap().from,
        secs(28),
        "it may have come true just now"
    );
}

#[test]
fn who_sees_another_holder_has_lost() {
    let (mut leader, record) = leader("a");
    let taken = LeaseSpec {
        holder_identity: Some("b".to_owned()),
        ..record
    };
    assert_eq!(leader.seen(Some(&taken), secs(104), wall(0)), Next::Lost);
    assert_eq!(leader.leader(), Some("b"));
}

#[test]
fn a_release_says_so_and_is_only_ours_to_give() {
    let (leader, record) = leader("a");
    let release = |found: &LeaseSpec, at| leader.release(found, secs(at), wall(5));
    let given = release(&record, 109).expect("it is ours");
    assert_eq!(given.holder_identity.as_deref(), Some(""));
    assert_eq!(given.lease_duration_seconds, Some(1));
    assert_eq!(given.lease_transitions, Some(5));
    writes(&mut candidate("b"), Some(&given), 0);

    assert_eq!(release(&record, 110), None, "our time is over");
    let others = LeaseSpec {
        holder_identity: Some("b".to_owned()),
        ..record
    };
    assert_eq!(release(&others, 105), None);
    assert_eq!(candidate("b").release(&others, secs(0), wall(5)), None);

    let mut early = candidate("c");
    let record = writes(&mut early, None, 50);
    early.won(secs(50), secs(51));
    let not_yet = early.release(&record, secs(55), wall(5));
    assert_eq!(not_yet, None, "whoever led before may not have noticed");
}
