//! src/session/acceptance.rs: what every store must do for the session slice. A backend runs it by
//! `acceptance::run_all!(bench)`, where `bench` is an async function that makes a `Bench`.

mod begin;
mod end;
mod list;
mod pending;
mod resume;
mod rotate;
mod user;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::spy::Spy;
use super::*;
use crate::clock::Clock;
use crate::config::{Evict, Lifetimes};
use crate::error::Reason;
use crate::ticket::{Tag, Ticket};
use crate::user::UserId;

pub use self::begin::*;
pub use self::end::*;
pub use self::list::*;
pub use self::pending::*;
pub use self::resume::*;
pub use self::rotate::*;
pub use self::user::*;

/// An empty store, and the clock that it and the service go by.
pub struct Bench {
    pub store: Arc<dyn Store>,
    pub clock: Clock,
    /// What must live as long as the store does.
    #[cfg_attr(not(feature = "redis"), expect(dead_code, reason = "held until the test is over"))]
    pub keep: Option<Arc<dyn std::any::Any + Send + Sync>>,
}

macro_rules! run_all {
    ($bench:path) => {
        $crate::session::acceptance::run_all! { $bench:
            a_session_is_found_by_its_ticket_with_its_user_and_record,
            an_unknown_ticket_and_a_foreign_tag_find_nothing,
            what_a_store_holds_opens_nothing,
            the_same_id_of_another_kind_of_user_is_another_user,
            silence_ends_a_session_at_its_idle_time_and_use_at_its_absolute_one,
            a_remembered_session_has_no_idle_limit_and_ends_when_promised,
            a_touch_is_written_after_a_tenth_of_the_idle_time_and_never_on_each_read,
            of_two_touches_that_cross_the_later_one_stands,
            a_refused_login_ends_nothing,
            an_ended_session_stays_ended_whatever_was_in_flight,
            ending_one_session_leaves_the_others,
            a_login_ends_the_session_that_it_presents_and_keeps_nothing_of_it,
            a_login_as_another_user_ends_the_first_ones_session,
            a_login_that_cannot_end_the_presented_session_begins_none,
            a_presented_ticket_that_nobody_issued_is_never_adopted,
            two_logins_at_once_are_two_sessions,
            the_oldest_session_gives_way_over_the_bound_and_the_dead_do_not_count,
            ending_all_ends_all_and_refuses_the_logins_under_way,
            ending_all_refuses_no_login_that_begins_later_nor_its_own_request,
            the_user_is_kept_once_and_an_older_reading_does_not_undo_a_newer_one,
            a_rewritten_user_is_everywhere_at_once_and_no_older_reading_undoes_it,
            every_write_bears_a_repeat,
            at_the_bound_a_login_is_refused_where_none_gives_way,
            a_refused_login_over_the_bound_ends_not_even_what_it_presents,
            sessions_are_listed_in_the_order_of_their_logins_with_their_last_use,
            neither_the_ended_nor_the_dead_nor_anothers_are_listed,
            a_session_ends_by_its_handle_and_no_other_does,
            ending_the_others_keeps_this_one_alone,
            ending_the_others_refuses_the_logins_under_way_and_not_its_own_request,
            ending_the_others_of_a_session_that_has_ended_leaves_nobody,
            a_step_up_gives_the_session_a_new_ticket_and_changes_nothing_else,
            the_old_ticket_opens_for_five_seconds_at_its_old_authentication,
            a_superseded_session_is_neither_touched_nor_listed_nor_counted_nor_rotated,
            a_logout_with_either_ticket_of_a_step_up_ends_both,
            a_login_that_presents_the_old_ticket_ends_the_successor,
            ending_the_others_keeps_both_tickets_of_a_step_up_or_neither,
            the_oldest_ticket_of_two_step_ups_ends_the_living_one,
            what_has_ended_or_died_is_not_stepped_up,
            a_step_up_that_is_sent_twice_is_done_once,
            a_superseded_record_that_ran_out_takes_nothing_with_it,
            a_remembered_session_is_remembered_after_a_step_up,
            a_login_that_waits_opens_nothing_and_ends_nothing,
            a_login_that_waited_becomes_a_session_once,
            a_login_waits_for_ten_minutes,
            of_six_logins_that_wait_the_oldest_gives_way,
            ending_all_or_the_others_ends_the_logins_that_wait,
            a_login_that_waits_is_refused_as_a_login_is,
            a_rewritten_user_is_not_undone_by_a_login_that_waited,
            a_confirmed_login_replaces_and_evicts_as_a_login_does,
            a_confirmation_refused_at_the_bound_may_be_tried_again,
            a_confirmation_that_is_sent_twice_begins_one_session,
            a_logout_ends_a_login_that_waits
        }
    };
    ($bench:path: $($name:ident),*) => {$(
        #[tokio::test]
        async fn $name() {
            $crate::session::acceptance::$name($bench().await).await;
        }
    )*};
}
pub(crate) use run_all;

const SECOND: Duration = Duration::from_secs(1);

impl Bench {
    pub fn service(&self) -> Service {
        self.service_with(|_| {})
    }

    pub fn service_with(&self, change: impl FnOnce(&mut Lifetimes)) -> Service {
        let mut lifetimes = Lifetimes::default();
        change(&mut lifetimes);
        Service::new(self.store.clone(), self.clock.clone(), lifetimes)
    }

    pub fn user(&self, json: &str) -> StoredUser {
        StoredUser { version: 1, json: json.into(), as_of: self.clock.now() }
    }

    pub fn login<'a>(&self, id: u32, presented: &'a [Ticket]) -> Login<'a> {
        Login {
            tag: tag(id),
            user: self.user(&format!("{{\"id\":{id}}}")),
            remembered: false,
            user_agent: Some("agent"),
            address: Some([192, 0, 2, 1].into()),
            presented,
            own_revocation: None,
        }
    }

    pub async fn begin(&self, id: u32) -> Ticket {
        // So that no two sessions of a test began in one millisecond.
        self.clock.advance(Duration::from_millis(1));
        self.service().begin(self.login(id, &[])).await.unwrap().0
    }
}

pub fn tag(id: u32) -> Tag {
    Tag::of("", &UserId::from(id))
}

pub async fn live(service: &Service, ticket: &Ticket) -> Option<(Session, Arc<StoredUser>)> {
    match service.resume(ticket).await.unwrap() {
        Resumed::Live { session, user, untouched } => {
            assert!(untouched.is_none());
            Some((session, user))
        }
        Resumed::Gone => None,
    }
}
