//! src/session/interleavings/data.rs: values among the other verbs: written, compared, taken.

use super::{Play, same, tag};
use crate::secret::Digest;
use crate::session::data::{Datum, Expect, Kept, SetDatum};
use crate::ticket::Handle;

impl Play {
    pub(super) async fn data(&mut self, user: u32) -> Result<(), String> {
        // Of a session that lives, most of the time.
        let living = self.model.list(user);
        let handle = match living.is_empty() || self.seed.below(4) == 0 {
            true => self.handle_of(user),
            false => Some(living[self.seed.below(living.len())].0),
        };
        let Some(handle) = handle else { return Ok(()) };
        let key = ["a", "b"][self.seed.below(2)];
        let held = self.model.value(user, &handle, key);
        match self.seed.below(7) {
            0..=1 => {
                let taken = self.store().data_take(&tag(user), &handle, key).await.unwrap();
                self.model.set_value(user, &handle, key, None);
                self.played.taken += usize::from(taken.is_some());
                same("take", taken, held)
            }
            2 => {
                let got = self.store().data_get(&tag(user), &handle, key).await.unwrap();
                self.revisions.extend(got.as_ref().map(|datum| datum.revision));
                same("value", got, held)
            }
            _ => self.set(user, handle, key, held).await,
        }
    }

    async fn set(
        &mut self,
        user: u32,
        handle: Handle,
        key: &str,
        held: Option<Datum>,
    ) -> Result<(), String> {
        let expect = match self.seed.below(5) {
            0..=1 => Expect::Any,
            2 => Expect::Absent,
            // One that was read some time ago, of whatever value.
            _ => Expect::Revision(self.revisions.pop().unwrap_or(1)),
        };
        let id = self.id_of(user, &handle);
        let json = format!("{{\"set\":{}}}", self.step);
        let set = SetDatum { handle: &handle, key, json: &json, expect };
        let kept = self.store().data_set(&tag(user), id.as_ref(), set).await.unwrap();
        let as_expected = match expect {
            Expect::Any => true,
            Expect::Absent => held.is_none(),
            Expect::Revision(revision) => held.is_some_and(|held| held.revision == revision),
        };
        let must = match (self.model.may_write(user, &handle, id.as_ref()), as_expected, kept) {
            (false, ..) => Kept::SessionGone,
            (true, false, _) => Kept::Conflict,
            // The revision is the store's to choose, and never one that was.
            (true, true, Kept::As(given)) if self.model.is_new(user, &handle, given) => kept,
            (true, true, _) => Kept::As(0),
        };
        same("set", kept, must)?;
        match kept {
            Kept::As(revision) => {
                let datum = Datum { revision, json: json.into() };
                self.model.set_value(user, &handle, key, Some(datum));
            }
            Kept::Conflict => self.played.conflicts += 1,
            _ => {}
        }
        Ok(())
    }

    /// An id of that session, any other of the user, or none at all.
    fn id_of(&mut self, user: u32, handle: &Handle) -> Option<Digest> {
        let now = self.clock.now();
        let of = |seen: &super::Seen| seen.handle == *handle;
        let own = |(of_user, id): &&(u32, Digest)| {
            *of_user == user && self.model.find(user, id, now).as_ref().is_some_and(of)
        };
        let own = self.ids.iter().rev().find(own).map(|(_, id)| *id);
        match self.seed.below(6) {
            0 => None,
            1 => self.pick().filter(|(of, _)| *of == user).map(|(_, id)| id),
            _ => own,
        }
    }
}
