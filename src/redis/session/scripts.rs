//! src/redis/session/scripts.rs: the scripts of sessions, and how each is tried at launch.

use std::sync::LazyLock;

use deadpool_redis::redis::{Pipeline, Script};

use crate::redis::data;
use crate::redis::notices;

/// Loaded on each new connection, so that a request is one round trip.
pub static SCRIPTS: LazyLock<Scripts> = LazyLock::new(|| Scripts {
    login: with_parts(WRITES, include_str!("../scripts/login.lua")),
    touch: alone(WRITES, include_str!("../scripts/touch.lua")),
    update_user: alone(WRITES, include_str!("../scripts/update_user.lua")),
    end: with_parts(ENDS, include_str!("../scripts/end.lua")),
    end_all: with_parts(ENDS, include_str!("../scripts/end_all.lua")),
    list: with_parts(ENDS, include_str!("../scripts/list.lua")),
    end_by_handle: with_parts(ENDS, include_str!("../scripts/end_by_handle.lua")),
    end_others: with_parts(ENDS, include_str!("../scripts/end_others.lua")),
    rotate: with_parts(WRITES, include_str!("../scripts/rotate.lua")),
    pending: with_parts(WRITES, include_str!("../scripts/pending.lua")),
    data: data::Scripts::new(),
    notices: notices::Scripts::new(),
});

pub struct Scripts {
    pub login: Script,
    pub touch: Script,
    pub update_user: Script,
    pub end: Script,
    pub end_all: Script,
    pub list: Script,
    pub end_by_handle: Script,
    pub end_others: Script,
    pub rotate: Script,
    pub pending: Script,
    pub data: data::Scripts,
    pub notices: notices::Scripts,
}

/// A full Redis refuses it before it starts.
pub const WRITES: &str = "#!lua";
/// A full Redis lets it through: what ends something makes room.
pub const ENDS: &str = "#!lua flags=allow-oom";

fn alone(first_line: &str, text: &str) -> Script {
    Script::new(&format!("{first_line}\n{text}"))
}

fn with_parts(first_line: &str, text: &str) -> Script {
    composed(first_line, include_str!("../scripts/session_parts.lua"), text)
}

/// Redis reads the first line before it runs anything; what several scripts share stands behind it.
pub fn composed(first_line: &str, parts: &str, text: &str) -> Script {
    Script::new(&format!("{first_line}\n{parts}\n{text}"))
}

impl Scripts {
    pub fn all(&self) -> impl Iterator<Item = &Script> {
        let own = [
            &self.login,
            &self.touch,
            &self.update_user,
            &self.end,
            &self.end_all,
            &self.list,
            &self.end_by_handle,
            &self.end_others,
            &self.rotate,
            &self.pending,
        ];
        own.into_iter().chain(self.data.all()).chain(self.notices.all())
    }

    /// Each once, on a key that nobody else looks at, and nothing left behind.
    pub fn try_all(&self, all: &mut Pipeline, key: &str, now: u64) {
        let (id, next) = ([0u8; 32], [1u8; 32]);
        let (record, user) =
            (format!("1 {now} {} {now} 0 - -", now + 60_000), format!("0 {now} 0"));
        let mut login = self.login.prepare_invoke();
        login.key(key).arg(&id).arg(record).arg(&user).arg(now).arg("").arg(1).arg(now);
        login.arg(60_000).arg("oldest").arg("");
        let mut pending = self.pending.prepare_invoke();
        let waits = format!("1 {now} {} {{}}", now + 60_000);
        pending.key(key).arg(&id).arg(waits).arg(now).arg("").arg(1).arg(now).arg(60_000);
        let mut rotate = self.rotate.prepare_invoke();
        rotate.key(key).arg(&id).arg(&next).arg(now).arg(now).arg(60_000).arg(5_000);
        all.invoke_script(&login);
        self.data.try_all(all, key, &id);
        self.notices.try_all(all, key);
        all.invoke_script(self.touch.key(key).arg(&id).arg(now).arg(now + 60_000));
        all.invoke_script(self.update_user.key(key).arg(&user).arg(now));
        all.invoke_script(&pending);
        all.invoke_script(&rotate);
        all.invoke_script(self.list.key(key).arg(now).arg(60_000));
        all.invoke_script(self.end.key(key).arg(&id));
        all.invoke_script(self.end_by_handle.key(key).arg("-"));
        all.invoke_script(self.end_others.key(key).arg("-").arg(now).arg(60_000));
        all.invoke_script(&self.end_all.key(key));
        // The revocation that the last script left is nobody's.
        all.cmd("UNLINK").arg(key);
    }
}
